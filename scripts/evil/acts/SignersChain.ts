import type { SignedBytes } from "@felhom/domain/Envelope"
import { signersNamespace } from "@felhom/domain/SignersDocument"
import { Effect, Encoding } from "effect"
import { createHash, randomBytes } from "node:crypto"
import type { Scene } from "../Act.ts"
import { answered, untilReport } from "../Arena.ts"
import type { Named } from "../Attack.ts"
import type { Hand, Keys } from "../Keys.ts"
import { bytesOf } from "../Payload.ts"
import { playSent, type Sent } from "../Round.ts"
import { signersRefused, type Word } from "../Word.ts"

const chain = "whom a host trusts is changed by those it trusts alone, and never taken back"
const revocation = "a revoked signer never counts again, and a revocation never takes the last signer"

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex")

interface Version {
  readonly fleet: string
  readonly version: number
  readonly allowedSigners: string
  readonly revoked: string
}

const documentAfter = (before: Version, instead: { readonly [key: string]: unknown } = {}) => ({
  typ: "felhom/signers/v1",
  fleet: before.fleet,
  version: before.version + 1,
  from: { allowedSigners: sha256(before.allowedSigners), revoked: sha256(before.revoked) },
  issued: Date.now(),
  allowedSigners: before.allowedSigners,
  revoked: before.revoked,
  reason: "a drill",
  ...instead
})

const signed = (
  { hands }: Keys,
  document: unknown,
  by: ReadonlyArray<Hand>,
  namespace = signersNamespace
): Effect.Effect<SignedBytes> => {
  const payload = bytesOf(document)
  return Effect.map(Effect.forEach(by, (hand) => hands[hand](payload, namespace)), (signatures) => ({
    payload: Encoding.encodeBase64(payload),
    signatures
  }))
}

interface Forgery extends Named {
  readonly document: (before: Version, keys: Keys) => unknown
  readonly by: ReadonlyArray<Hand>
  readonly namespace?: string
  readonly word: Word
}

const everybody: ReadonlyArray<Hand> = ["anna", "annaAgain", "bert", "clara"]
const keysOf = ({ publicKey }: Keys, hands: ReadonlyArray<Hand>) => hands.map((hand) => `${publicKey[hand]}\n`).join("")
const strangersList = ({ line }: Keys) => line("mallory", "stranger") + line("mara", "strangersFriend")

const forgeries: ReadonlyArray<Forgery> = [
  {
    name: "a list of signers that only those it names have signed",
    invariant: chain,
    document: (before, keys) => documentAfter(before, { allowedSigners: strangersList(keys) }),
    by: ["stranger", "strangersFriend"],
    word: signersRefused("threshold", /the signers that hold now: 0 of the 1 .* not counted: unlisted/)
  },
  {
    name: "a list of signers that too few of the present ones have signed",
    invariant: chain,
    document: (before, keys) => documentAfter(before, { allowedSigners: strangersList(keys) }),
    by: ["anna", "stranger", "strangersFriend"],
    word: signersRefused("threshold", /the signers that hold now/)
  },
  {
    name: "a list of signers that those it names have not signed",
    invariant: chain,
    document: (before, keys) => documentAfter(before, { allowedSigners: strangersList(keys) }),
    by: ["anna", "bert"],
    word: signersRefused("threshold", /the signers that it names/)
  },
  {
    name: "a list of signers that leaves one person alone",
    invariant: chain,
    document: (before, { line }) => documentAfter(before, { allowedSigners: line("anna", "anna") }),
    by: ["anna", "bert"],
    word: signersRefused("threshold", /the signers that it names/)
  },
  {
    name: "a list of signers from before (rollback)",
    invariant: chain,
    document: (before) => documentAfter(before, { version: before.version - 1 }),
    by: ["anna", "bert"],
    word: signersRefused("version-behind")
  },
  {
    name: "a list of signers that uses up all numbers (fast-forward)",
    invariant: chain,
    document: (before) => documentAfter(before, { version: before.version + 1_000_001 }),
    by: ["anna", "bert"],
    word: signersRefused("version-jump")
  },
  {
    name: "a list of signers with a gap before it",
    invariant: chain,
    document: (before) =>
      documentAfter(before, {
        version: before.version + 2,
        from: { allowedSigners: sha256("another"), revoked: sha256("") }
      }),
    by: ["anna", "bert"],
    word: signersRefused("from")
  },
  {
    name: "another fleet's list of signers",
    invariant: chain,
    document: (before) => documentAfter(before, { fleet: "f".repeat(32) }),
    by: ["anna", "bert"],
    word: signersRefused("other-fleet")
  },
  {
    name: "a list of signers with signatures that were made for ops",
    invariant: chain,
    document: (before) => documentAfter(before),
    by: ["anna", "bert"],
    namespace: "op.v1@felhom.eu",
    word: signersRefused("threshold", /the signers that hold now: 0 of the 1 .* not counted: namespace/)
  },
  {
    name: "every signer revoked at once, by one of them (mass revocation)",
    invariant: revocation,
    document: (before, keys) => documentAfter(before, { revoked: before.revoked + keysOf(keys, everybody) }),
    by: ["anna"],
    word: signersRefused("last-signer")
  },
  {
    name: "a revoked key that is let in again by one signer",
    invariant: revocation,
    document: (before) => documentAfter(before, { revoked: "" }),
    by: ["anna"],
    word: signersRefused("threshold", /the signers that hold now/)
  },
  {
    name: "a list of signers by somebody who was revoked",
    invariant: revocation,
    document: (before) => documentAfter(before),
    by: ["clara"],
    word: signersRefused("revoked")
  }
]

/** Two versions that are right: clara is let in, and her key is revoked by one signer. */
const rightOnes = (keys: Keys) =>
  Effect.gen(function*() {
    const fleet = randomBytes(16).toString("hex")
    const root: Version = { fleet, version: 0, allowedSigners: keys.allowedSigners, revoked: "" }
    const first = { ...root, version: 1, allowedSigners: keys.allowedSigners + keys.line("clara", "clara") }
    const second = { ...first, version: 2, revoked: `${keys.publicKey.clara}\n` }
    const letIn = documentAfter(root, { allowedSigners: first.allowedSigners })
    const revoke = documentAfter(first, { revoked: second.revoked })
    return {
      last: second,
      signers: [yield* signed(keys, letIn, ["anna", "bert"]), yield* signed(keys, revoke, ["bert"])]
    }
  })

/** The hub hands out whom the fleet trusts, and can't make a word of it. */
export const signersChain: Scene = {
  attacks: forgeries,
  play: (world, { judge, keys, wanted }) =>
    Effect.gen(function*() {
      const { last, signers } = yield* rightOnes(keys)
      const { count } = yield* answered(world, () => Effect.succeed({ answer: { ops: [], envelope: { signers } } }))
      yield* untilReport(world.hub, count, "the host takes two versions that are right", ({ trust }) =>
        trust?.fleet?.version === last.version)
      const verdicts = yield* playSent(world, () =>
        Effect.map(
          Effect.forEach(
            forgeries.filter(wanted),
            ({ by, document, invariant, name, namespace, word }) =>
              Effect.map(signed(keys, document(last, keys), by, namespace), (one): Sent => ({
                name,
                invariant,
                word,
                signed: [one]
              }))
          ),
          (sent) => ({
            sent,
            answer: {
              ops: [],
              envelope: {
                signers: sent.flatMap((one) =>
                  one.signed
                )
              }
            }
          })
        ))
      for (const [{ name }, verdict] of verdicts) {
        yield* judge(name, verdict)
      }
    })
}
