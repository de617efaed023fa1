import { decodeSigners } from "@felhom/domain/SignersDocument"
import { sha256 } from "@felhom/node/NodeCrypto"
import { Either } from "effect"
import type { KnownOp, Signed } from "../Ledger.ts"
import { names } from "../Operators.ts"
import { allowedText, policyText, revokedText } from "../RootFiles.ts"
import type { Stage, Watch } from "../Stage.ts"
import { countingAt } from "./Rules.ts"

const signersFile = "/state/accepted-signers.json"
const policyFile = "/state/accepted-policy.json"

/** What such a file holds, as far as it is looked at here. */
interface Kept {
  readonly anchor: string | null
  readonly sha256: string
  readonly document: string
}

const text = new TextDecoder()

const keptIn = (bytes: Uint8Array): Kept => JSON.parse(text.decode(bytes)) as Kept

const signersOf = ({ anchor, document }: Kept): Signed["signers"] => {
  const { allowedSigners, revoked } = Either.getOrThrow(decodeSigners(Buffer.from(document, "base64")))
  const listed = (list: string, textOf: (some: ReadonlySet<string>) => string) =>
    new Set<string>(names.filter((name) => list.includes(textOf(new Set([name])).split(" ").slice(-1).join())))
  return {
    allowed: listed(allowedSigners, allowedText),
    revoked: listed(revoked, revokedText),
    isFollowed: (root) => anchor === sha256(allowedText(root.allowed))
  }
}

const policyOf = ({ anchor, document }: Kept): Signed["policy"] => {
  const { signatures } = JSON.parse(Buffer.from(document, "base64").toString()) as {
    readonly signatures: { readonly threshold: number }
  }
  return { threshold: signatures.threshold, isFollowed: (root) => anchor === sha256(policyText(root.threshold)) }
}

/** I7, I8: what takes the place of a file of root's was signed for by as many as counted when the nonce was spent. */
const judged = ({ ledger }: Stage, op: KnownOp["op"]["op"], document: string): void => {
  const signed = [...ledger.ops.values()].filter((one) =>
    one.op.op === op && "sha256" in one.op.target && one.op.target.sha256 === document && one.spent !== undefined
  )
  const what = `${op} took ${document.slice(0, 16)}, and`
  if (signed.length === 0) return ledger.violated("I7", `${what} nobody signed that`)
  const counts = signed.flatMap(({ by, spent }) => spent === undefined ? [] : countingAt(ledger, spent.elapsed, by))
  if (counts.every(({ signers }) => signers === 0)) return ledger.violated("I8", `${what} none of its signers may sign`)
  if (counts.every(({ signers, threshold }) => signers < threshold)) {
    ledger.violated("I7", `${what} fewer signed than it takes`)
  }
}

/** Held against what of the two files is on the disk, which is what the agent goes by from then on. */
export const watch = (): Watch => {
  const seen = new Map<string, Uint8Array | undefined>()
  const known = new Set<string>()
  const look = (stage: Stage): void => {
    for (const path of [signersFile, policyFile]) {
      const bytes = stage.disk.read(path)
      if (bytes === seen.get(path)) continue
      seen.set(path, bytes)
      const kept = bytes === undefined ? undefined : keptIn(bytes)
      const op = path === signersFile ? "signers.update" : "policy.widen"
      // A power cut may bring back what was there before.
      if (kept !== undefined && !known.has(kept.sha256)) {
        known.add(kept.sha256)
        judged(stage, op, kept.sha256)
      }
      stage.ledger.note(`the host goes by ${op} ${kept?.sha256.slice(0, 16) ?? "of nobody"}`)
      stage.ledger.ruled({
        signed: op === "signers.update"
          ? { signers: kept === undefined ? undefined : signersOf(kept) }
          : { policy: kept === undefined ? undefined : policyOf(kept) }
      })
    }
  }
  return {
    durable: (stage, path) => {
      if (path.startsWith("/state/accepted-") || path === "/state") look(stage)
    },
    request: look
  }
}
