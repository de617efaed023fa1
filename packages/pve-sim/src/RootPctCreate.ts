import { Effect, Schema } from "effect"
import type { PveSim } from "./PveSim.ts"
import { refusedLine } from "./RootLine.ts"

// As the helper on a host reads it; written down here anew, so that the agent's side is held against something else than itself.
const Request = Schema.Struct({
  vmid: Schema.Int.pipe(Schema.between(100, 999_999_999)),
  template: Schema.String.pipe(Schema.pattern(/^[a-zA-Z][a-zA-Z0-9\-_.]*:vztmpl\/[a-zA-Z0-9][a-zA-Z0-9._+-]*$/)),
  storage: Schema.String.pipe(Schema.pattern(/^[a-zA-Z][a-zA-Z0-9\-_.]*$/)),
  rootGiB: Schema.Int.pipe(Schema.between(1, 1024)),
  hostname: Schema.String.pipe(Schema.pattern(/^[a-zA-Z0-9-]{1,63}$/)),
  cores: Schema.Int.pipe(Schema.between(1, 128)),
  memoryMiB: Schema.Int.pipe(Schema.between(16, 1_048_576)),
  bridge: Schema.String.pipe(Schema.pattern(/^[a-zA-Z][a-zA-Z0-9_]{0,14}$/))
})

const decode = Schema.decodeUnknown(Schema.parseJson(Request), { onExcessProperty: "error" })

const refuse = (reason: "invalid" | "failed", detail: string): string => refusedLine("pctCreate", reason, detail)

/** Makes the container as `pct create` does for root, which no token may: unprivileged, with `keyctl` and `nesting`. */
export const rootPctCreate = (sim: typeof PveSim.Service) => (line: string): Effect.Effect<string> =>
  decode(line).pipe(
    Effect.mapError(({ message }) => refuse("invalid", message.split("\n").at(-1)?.trim() ?? message)),
    Effect.flatMap(({ bridge, cores, hostname, memoryMiB, rootGiB, storage, template, vmid }) =>
      sim.change({
        _tag: "guest.fromTemplate",
        vmid,
        template,
        storage,
        config: {
          rootfs: `${storage}:${rootGiB}`,
          hostname,
          cores: String(cores),
          memory: String(memoryMiB),
          net0: `name=eth0,bridge=${bridge},ip=dhcp`,
          unprivileged: "1",
          features: "keyctl=1,nesting=1",
          onboot: "0"
        }
      }).pipe(
        Effect.mapError((error) =>
          refuse(
            "failed",
            error.reason === "exists-already" ? `CT ${vmid} already exists on node '${sim.node}'` : error.what
          )
        ),
        Effect.as(JSON.stringify({ ok: true, result: { output: [`extracting archive '${template}'`] } }))
      )
    ),
    Effect.merge
  )
