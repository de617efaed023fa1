import { Effect } from "effect"
import { vmidOf } from "../CallParameters.ts"
import { anyone, type Endpoint, type Permission } from "../Endpoint.ts"
import * as Formats from "../Formats.ts"
import { guestOf } from "../Machine.ts"

type GuestType = "lxc" | "qemu"

/** What lies below a path of a guest. Where `guarded`, the guest has to be there. */
const index = (
  type: GuestType,
  below: string,
  permission: Permission,
  guarded: boolean,
  names: string,
  key = "subdir"
): Endpoint => ({
  method: "GET",
  path: `/nodes/{node}/${type}/{vmid}${below}`,
  permission,
  protected: false,
  parameters: { node: Formats.node, vmid: Formats.vmid },
  handle: (call) =>
    Effect.gen(function*() {
      if (guarded) yield* guestOf(call.machine, type, vmidOf(call))
      return { data: names.split(" ").map((name) => ({ [key]: name })) }
    })
})

/** The directories of guests: who follows a path from the root finds its next step in them. */
export const endpoints: ReadonlyArray<Endpoint> = [
  index(
    "lxc",
    "",
    anyone,
    true,
    "config pending status vncproxy termproxy vncwebsocket spiceproxy migrate clone rrd rrddata firewall snapshot resize interfaces"
  ),
  index(
    "qemu",
    "",
    anyone,
    false,
    "config cloudinit pending status unlink vncproxy termproxy migrate resize move rrd rrddata monitor agent snapshot " +
      "spiceproxy sendkey firewall mtunnel remote_migrate"
  ),
  index("lxc", "/status", anyone, true, "current start stop shutdown reboot migrate"),
  index("qemu", "/status", anyone, true, "current start stop reset shutdown suspend reboot"),
  index("lxc", "/firewall", anyone, false, "rules aliases ipset refs options", "name"),
  index("qemu", "/firewall", anyone, false, "rules aliases ipset refs options", "name")
]
