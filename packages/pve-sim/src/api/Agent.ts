import { Effect } from "effect"
import { ApiFailure, died } from "../ApiFailure.ts"
import { vmidOf } from "../CallParameters.ts"
import { anyOf, type Call, type Endpoint } from "../Endpoint.ts"
import * as Formats from "../Formats.ts"
import { guestOf } from "../Machine.ts"
import type { Schema } from "../ParameterSchema.ts"

type Command = readonly [method: "GET" | "POST", name: string, parameters?: Schema]

const guestAgent = (...names: ReadonlyArray<string>): ReadonlyArray<string> =>
  [...names, "Unrestricted"].map((name) => `VM.GuestAgent.${name}`)

const text = { type: "string" } as const

/** Commands by what it takes to give them; one of the privileges is enough (platform-facts 1.3). */
const commands: ReadonlyArray<readonly [privileges: ReadonlyArray<string>, commands: ReadonlyArray<Command>]> = [
  [guestAgent("Audit"), [
    ["POST", "ping"],
    ["GET", "info"],
    ["GET", "get-osinfo"],
    ["GET", "get-fsinfo"],
    ["GET", "network-get-interfaces"],
    ["GET", "get-host-name"],
    ["GET", "get-time"],
    ["GET", "get-users"],
    ["GET", "get-vcpus"],
    ["GET", "get-timezone"],
    ["GET", "get-memory-blocks"],
    ["GET", "get-memory-block-info"]
  ]],
  [guestAgent("Audit", "FileSystemMgmt"), [["POST", "fsfreeze-status"]]],
  [guestAgent("FileSystemMgmt"), [["POST", "fsfreeze-freeze"], ["POST", "fsfreeze-thaw"], ["POST", "fstrim"]]],
  [guestAgent("FileRead"), [["GET", "file-read", { file: text }]]],
  [guestAgent("FileWrite"), [
    ["POST", "file-write", { file: text, content: { ...text, maxLength: 61_440 }, encode: Formats.flag }]
  ]],
  [guestAgent(), [
    ["POST", "exec", {
      command: { type: "string", format: Formats.anyList },
      "input-data": { type: "string", optional: true, maxLength: 65_536 }
    }],
    ["GET", "exec-status", { pid: { type: "integer" } }],
    ["POST", "set-user-password", {
      username: text,
      password: { ...text, minLength: 5, maxLength: 1024 },
      crypted: Formats.flag
    }]
  ]],
  [["VM.PowerMgmt", "VM.GuestAgent.Unrestricted"], [
    ["POST", "shutdown"],
    ["POST", "suspend-hybrid"],
    ["POST", "suspend-ram"],
    ["POST", "suspend-disk"]
  ]]
]

const ask = (call: Call) =>
  Effect.gen(function*() {
    const guest = yield* guestOf(call.machine, "qemu", vmidOf(call))
    const configured = guest.file.current.values.get("agent")
    if (configured === undefined) return yield* died("No QEMU guest agent configured")
    if (!guest.running) return yield* died(`VM ${guest.vmid} is not running`)
    // Nothing runs inside of a guest here, so nothing answers.
    return yield* (/^(?:enabled=)?1(?:,|$)/.test(configured)
      ? died("QEMU guest agent is not running")
      : new ApiFailure({
        status: 501,
        message: `pve-sim does not simulate what an agent says that is switched off ('agent: ${configured}')`
      }))
  })

/** The guest agent of virtual machines: who may ask it, and that none answers (platform-facts 1.3). */
export const endpoints: ReadonlyArray<Endpoint> = commands.flatMap(([privileges, named]) =>
  named.map(([method, name, parameters]): Endpoint => ({
    method,
    path: `/nodes/{node}/qemu/{vmid}/agent/${name}`,
    permission: anyOf("/vms/{vmid}", ...privileges),
    protected: true,
    parameters: { node: Formats.node, vmid: Formats.vmid, ...parameters },
    handle: ask
  }))
)
