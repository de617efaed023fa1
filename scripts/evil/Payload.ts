import type { SignedBytes } from "@felhom/domain/Envelope"
import type { Guest } from "@felhom/domain/Guest"
import { Effect, Encoding } from "effect"
import { createHash, randomBytes } from "node:crypto"
import { refOf, type Signing, type Stage } from "./Attack.ts"

/** What an operator is shown of a guest, as the host said it. */
export const seenOf = (guest: Guest) => {
  if (guest.config.state !== "ok" || guest.snapshots.state !== "ok") {
    throw new Error(`${guest.type}/${guest.vmid} was not read`)
  }
  const { hash, identity } = guest.config.value
  return {
    identity,
    configHash: hash,
    name: guest.name,
    volumes: identity.volumes.map((volid) => ({ volid, size: null })),
    snapshots: guest.snapshots.value.map(({ name, takenAt }) => ({ name, takenAt }))
  }
}

/** What an op is made from. */
export type Facts = Pick<Stage, "host" | "now" | "target" | "trust">

/** An op that the host would do, if it were signed by who may: with what is given instead. */
export const opOn = ({ host, now, target, trust }: Facts, instead: { readonly [key: string]: unknown } = {}) => ({
  typ: "felhom/op/v1",
  host,
  hostEpoch: trust.opEpoch,
  nonce: randomBytes(24).toString("hex"),
  iat: now,
  nbf: now - 60_000,
  exp: now + 3_600_000,
  storeSeqMin: trust.storeSeq,
  op: "guest.stop_hard",
  target: { guest: refOf(target) },
  expect: seenOf(target),
  params: {},
  reason: "an attack",
  ...instead
})

/** The same for an op for which root's policy wants two people. */
export const destroy = (facts: Facts) =>
  opOn(facts, { op: "guest.destroy", params: { unreferencedDisks: true, acceptNoProvenBackup: true } })

export const bytesOf = (op: unknown): Uint8Array =>
  new TextEncoder().encode(typeof op === "string" ? op : JSON.stringify(op))

/** The bytes of this op with the signatures of these hands, in this order. */
export const signedBy = (op: unknown, ...hands: ReadonlyArray<Signing>): Effect.Effect<SignedBytes> => {
  const payload = bytesOf(op)
  return Effect.map(Effect.forEach(hands, (sign) => sign(payload)), (signatures) => ({
    payload: Encoding.encodeBase64(payload),
    signatures
  }))
}

/** This one op, signed so. */
export const carrying = (op: unknown, ...hands: ReadonlyArray<Signing>): Effect.Effect<ReadonlyArray<SignedBytes>> =>
  Effect.map(signedBy(op, ...hands), (signed) => [signed])

/** What an op is called in the agent's events: the SHA-256 of its payload, or of the text where that is no base64. */
export const nameOf = ({ payload }: Pick<SignedBytes, "payload">): string => {
  const bytes = Buffer.from(payload, "base64")
  return createHash("sha256").update(bytes.toString("base64") === payload ? bytes : payload).digest("hex")
}
