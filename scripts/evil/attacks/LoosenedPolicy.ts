import type { SignedBytes } from "@felhom/domain/Envelope"
import { Effect, Encoding } from "effect"
import { createHash } from "node:crypto"
import type { OpsAttack, Signing, Stage } from "../Attack.ts"
import { opOn, signedBy } from "../Payload.ts"
import { refused, type Word } from "../Word.ts"

const invariant = "what protects a host is loosened by as many as its policy asks for, and by nobody's hub"

/** A host's policy with which one signature destroys. */
const loose = JSON.stringify({ typ: "felhom/policy/v1", signatures: { threshold: 1 } })
const unknown = JSON.stringify({ typ: "felhom/policy/v1", signatures: { threshold: 1 }, anything: "goes" })

const widening = (stage: Stage, signedFor: string, sent: string | undefined, ...by: ReadonlyArray<Signing>) =>
  Effect.map(
    signedBy(
      opOn(stage, {
        op: "policy.widen",
        target: { sha256: createHash("sha256").update(signedFor).digest("hex") },
        expect: { sha256: stage.trust.policy }
      }),
      ...by
    ),
    (signed): ReadonlyArray<SignedBytes> => [
      sent === undefined ? signed : { ...signed, document: Encoding.encodeBase64(sent) }
    ]
  )

const attack = (
  name: string,
  ops: (stage: Stage) => Effect.Effect<ReadonlyArray<SignedBytes>>,
  word: Word
): OpsAttack => ({ name, invariant, ops, word })

export const attacks: ReadonlyArray<OpsAttack> = [
  attack(
    "a loosened policy that one person signed",
    (stage) => widening(stage, loose, loose, stage.hands.anna),
    refused("threshold", /1 of the 2/)
  ),
  attack(
    "a loosened policy in place of the one that was signed",
    (stage) => widening(stage, `${loose} `, loose, stage.hands.anna, stage.hands.bert),
    refused("document-hash")
  ),
  attack(
    "a policy that was signed and does not come along",
    (stage) => widening(stage, loose, undefined, stage.hands.anna, stage.hands.bert),
    refused("document-missing")
  ),
  attack(
    "a policy with a key that this version does not know",
    (stage) => widening(stage, unknown, unknown, stage.hands.anna, stage.hands.bert),
    refused("document-content")
  ),
  attack(
    "an op with a document that nobody signed for",
    (stage) =>
      Effect.map(signedBy(opOn(stage), stage.hands.anna), (signed) => [
        { ...signed, document: Encoding.encodeBase64(loose) }
      ]),
    refused("document-unexpected")
  ),
  attack(
    "a new store of the hub's, by the hub's own word",
    (stage) =>
      Effect.map(
        signedBy(opOn(stage, {
          op: "desired.accept_epoch",
          target: { epoch: "e".repeat(32) },
          expect: { epoch: null, version: 0 }
        })),
        (signed) => [signed]
      ),
    refused("threshold", /0 of the 1/)
  )
]
