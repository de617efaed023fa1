import type { SignedBytes } from "@felhom/domain/Envelope"
import type { Guest } from "@felhom/domain/Guest"
import { Effect, Encoding } from "effect"
import { randomBytes } from "node:crypto"
import type { Signing, Stage } from "./Attack.ts"

/** What an operator is shown of a guest, as the host said it. */
export const seenOf = (guest: Guest) => {
  if (guest.config.state !== "ok" || guest.snapshots.state !== "ok") throw new Error(`lxc/${guest.vmid} was not read`)
  const { hash, identity } = guest.config.value
  return {
    identity,
    configHash: hash,
    name: guest.name,
    volumes: identity.volumes.map((volid) => ({ volid, size: null })),
    snapshots: guest.snapshots.value.map(({ name, takenAt }) => ({ name, takenAt }))
  }
}

/** The guest that every attack wants to see stopped hard: it runs, so it would show. */
export const target = 9999

/** An op that the host would do, if it were signed by who may: with what is given instead. */
export const opOn = (
  { guest, host, now, trust }: Pick<Stage, "guest" | "host" | "now" | "trust">,
  instead: { readonly [key: string]: unknown } = {}
) => ({
  typ: "felhom/op/v1",
  host,
  hostEpoch: trust.opEpoch,
  nonce: randomBytes(24).toString("hex"),
  iat: now,
  nbf: now - 60_000,
  exp: now + 3_600_000,
  storeSeqMin: trust.storeSeq,
  op: "guest.stop_hard",
  target: { guest: { type: "lxc", vmid: target } },
  expect: seenOf(guest(target)),
  params: {},
  reason: "an attack",
  ...instead
})

/** The same for an op for which root's policy wants two people. */
export const destroy = (stage: Pick<Stage, "guest" | "host" | "now" | "trust">) =>
  opOn(stage, { op: "guest.destroy", params: { unreferencedDisks: true, acceptNoProvenBackup: true } })

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

/** The answer that carries this one op. */
export const carrying = (op: unknown, ...hands: ReadonlyArray<Signing>) =>
  Effect.map(signedBy(op, ...hands), (signed) => ({ ops: [signed] }))
