import { hostCode, keyFingerprint } from "@felhom/domain/HostKey"
import type { Ed25519 } from "@felhom/domain/port/Ed25519"
import { StateFile } from "@felhom/durable/StateFile"
import { Console, Effect } from "effect"
import { HostKey } from "./HostKey.ts"

/** Prints who this host is, for a person who compares it with what the hub says. */
export const showKey = (output: "text" | "json"): Effect.Effect<void, never, HostKey | StateFile | Ed25519> =>
  Effect.gen(function*() {
    const { publicKey } = yield* HostKey
    const { host } = yield* StateFile
    const code = yield* hostCode(publicKey)
    const fingerprint = yield* keyFingerprint(publicKey)
    yield* Console.log(
      output === "json"
        ? JSON.stringify({ host: host.id, code, fingerprint })
        : [`host   ${host.id}`, `key    ${fingerprint}`, `code   ${code}`].join("\n")
    )
  })
