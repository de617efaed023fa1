import { Effect } from "effect"
import { badParameters, died } from "../ApiFailure.ts"
import { textOf, vmidOf } from "../CallParameters.ts"
import { all, type Call, type Endpoint, type Json } from "../Endpoint.ts"
import * as Formats from "../Formats.ts"
import { type Schema, splitList } from "../ParameterSchema.ts"
import { sha1Hex } from "../Sha1.ts"

type GuestType = "lxc" | "qemu"

const flags = ["dhcp", "enable", "ipfilter", "macfilter", "ndp", "radv"]
const logLevel = Formats.choice("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug", "nolog")
const policy = Formats.choice("ACCEPT", "REJECT", "DROP")

const options: Schema = {
  ...Object.fromEntries(flags.map((name) => [name, Formats.flag])),
  log_level_in: logLevel,
  log_level_out: logLevel,
  policy_in: policy,
  policy_out: policy
}

const inPath = { node: Formats.node, vmid: Formats.vmid }

// Whether there is such a guest, the firewall does not ask.
const known = (call: Call): ReadonlyMap<string, string> => call.machine.firewalls.get(vmidOf(call)) ?? new Map()

const digestOf = (found: ReadonlyMap<string, string>): string =>
  sha1Hex(
    Array.from(found).toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => `${key}:${value}\n`).join("")
  )

const read = (type: GuestType): Endpoint => ({
  method: "GET",
  path: `/nodes/{node}/${type}/{vmid}/firewall/options`,
  permission: all("/vms/{vmid}", "VM.Audit"),
  protected: false,
  parameters: inPath,
  handle: (call) =>
    Effect.sync(() => {
      const found = known(call)
      const shown: { [name: string]: Json } = { digest: digestOf(found) }
      for (const [name, value] of found) shown[name] = flags.includes(name) ? Number(value) : value
      return { data: shown }
    })
})

const write = (type: GuestType): Endpoint => ({
  method: "PUT",
  path: `/nodes/{node}/${type}/{vmid}/firewall/options`,
  permission: all("/vms/{vmid}", "VM.Config.Network"),
  protected: true,
  parameters: {
    ...inPath,
    ...options,
    delete: { type: "string", optional: true, format: Formats.configIdList },
    digest: Formats.text(64)
  },
  handle: (call) =>
    Effect.gen(function*() {
      const changed = new Map(known(call))
      const digest = textOf(call, "digest")
      if (digest !== undefined && digest !== digestOf(changed)) {
        return yield* died("detected modified configuration - file changed by other user? Try again.")
      }
      for (const name of splitList(textOf(call, "delete"))) {
        if (!(name in options)) return yield* badParameters({ delete: `no such option '${name}'` })
        changed.delete(name)
      }
      for (const name of Object.keys(options)) {
        const value = textOf(call, name)
        if (value !== undefined) changed.set(name, value)
      }
      call.machine.firewalls.set(vmidOf(call), changed)
      return { data: null }
    })
})

/** The firewall's options of a guest (platform-facts 1.2); its rules are not played. */
export const endpoints: ReadonlyArray<Endpoint> = (["lxc", "qemu"] as const).flatMap((
  type
) => [read(type), write(type)])
