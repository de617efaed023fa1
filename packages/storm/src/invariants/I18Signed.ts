import { reportNamespace, signatureHeader } from "@felhom/domain/HostKey"
import { Ed25519 } from "@felhom/domain/port/Ed25519"
import { verifySshsig } from "@felhom/domain/Sshsig"
import { ed25519 } from "@felhom/node/NodeEd25519"
import { Effect, Either, Encoding } from "effect"
import type { Watch } from "../Stage.ts"

/** One report in so many, beside the first: to check them all would take longer than all else. */
const oneIn = 10

/** I18: what operators are shown was signed by the host, by one key; held against reports as they come. */
export const watch = (): Watch => {
  let host: string | undefined
  return {
    report: ({ chance, ledger }, { bytes, headers }) => {
      if (host !== undefined && chance.below(oneIn) > 0) return
      const verified = Effect.runSync(Effect.either(
        Effect.flatMap(
          Encoding.decodeBase64(headers[signatureHeader] ?? ""),
          (blob) => verifySshsig({ blob, namespace: reportNamespace, message: bytes })
        ).pipe(Effect.provideService(Ed25519, ed25519))
      ))
      if (Either.isLeft(verified)) return ledger.violated("I18", `a report is not signed: ${verified.left.message}`)
      const key = Encoding.encodeBase64(verified.right.publicKey)
      host ??= key
      if (key !== host) ledger.violated("I18", "a report is by another host's key")
    }
  }
}
