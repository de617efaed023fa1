import { encodeAttachedSigners, signersNamespace, signersType } from "@felhom/domain/SignersDocument"
import { sha256 } from "@felhom/node/NodeCrypto"
import { Encoding } from "effect"
import type { Act } from "./Actions.ts"
import type { Chance } from "./Chance.ts"
import { type Name, names, signature } from "./Operators.ts"
import { allowedText, policyText, revokedText } from "./RootFiles.ts"
import type { Stage } from "./Stage.ts"
import { enoughSigners, signAndSubmit, signersFor } from "./Submission.ts"

const fleet = "f".repeat(32)

/** Those who are to hold from now on. */
const holders: readonly [ReadonlyArray<Name>, ...ReadonlyArray<ReadonlyArray<Name>>] = [
  ["anna", "ben"],
  ["anna", "ben", "cora"],
  ["anna", "cora"],
  ["ben", "cora"],
  ["cora"]
]

/** Who signs the list itself: those whom it names as a rule, and now and then one of them alone, or only those before it. */
const signersOf = (stage: Stage, chance: Chance, next: ReadonlyArray<Name>): ReadonlyArray<Name> => {
  switch (chance.below(6)) {
    case 0:
      return next.slice(0, 1)
    case 1:
      return names.filter((name) => stage.ledger.rulesNow.allowed.has(name))
    default:
      return next
  }
}

/** Who signs the op: it is to be done more often than not, since what comes after it goes by it. */
const askers = (stage: Stage, chance: Chance): ReadonlyArray<Name> =>
  chance.is(0.7) ? enoughSigners(stage) : signersFor(stage, chance)

/** An operator has the host take another list of signers, perhaps with keys revoked by it. */
const signersUpdate: Act = (stage, chance) => {
  const { hub: { trust }, ledger, timeline } = stage
  if (trust?.signers == null) return
  const held = trust.fleet?.version ?? 0
  const version = held + (chance.is(0.9) ? 1 : 0)
  const next = chance.pick(holders)
  const out = names.filter((name) => ledger.rulesNow.allowed.has(name) && !next.includes(name))
  const text = JSON.stringify({
    typ: signersType,
    fleet: chance.is(0.9) ? fleet : "e".repeat(32),
    version: Math.max(1, version),
    from: { allowedSigners: trust.signers, revoked: trust.fleet?.revoked ?? sha256("") },
    issued: timeline.trueTime,
    allowedSigners: allowedText(new Set(next)),
    revoked: revokedText(new Set(chance.is(0.5) ? out : [])),
    reason: "as the storm wants it"
  })
  const by = signersOf(stage, chance, next)
  const document = encodeAttachedSigners({
    payload: Encoding.encodeBase64(text),
    signatures: by.map((name) => signature(name, text, signersNamespace))
  })
  ledger.note(`${by.join("+")} sign the list ${sha256(text).slice(0, 16)} of ${next.join(", ")}`)
  signAndSubmit(
    stage,
    chance,
    {
      op: "signers.update",
      target: { sha256: sha256(text) },
      expect: { version: held, sha256: trust.signers },
      params: { version: Math.max(1, version) }
    },
    askers(stage, chance),
    Encoding.encodeBase64(document)
  )
}

/** An operator has the host go by another policy. */
const policyWiden: Act = (stage, chance) => {
  const { trust } = stage.hub
  if (trust === undefined) return
  const text = policyText(chance.pick([1, 1, 2, 3]))
  signAndSubmit(
    stage,
    chance,
    {
      op: "policy.widen",
      target: { sha256: sha256(text) },
      expect: { sha256: trust.policy },
      params: {}
    },
    askers(stage, chance),
    Encoding.encodeBase64(text)
  )
}

/** Operators change whose word counts from now on. */
export const trust: Act = (stage, chance) => chance.is(0.5) ? signersUpdate(stage, chance) : policyWiden(stage, chance)
