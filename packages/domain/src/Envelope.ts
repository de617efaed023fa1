import { Schema } from "effect"
import { HostEpoch, HostId } from "./HostId.ts"
import { EpochMillis } from "./Time.ts"

export const envelopeType = "felhom/envelope/v1"

/** How long an agent waits between reports at the least and at the most, in seconds, whatever a hub asks for. */
export const reportIntervalBounds = { minimum: 5, maximum: 3600 } as const

/** The longest document that travels with an op, in bytes. */
export const longestDocument = 256 * 1024

/** Bytes that somebody signed: parsed only after they were verified, so they travel as base64 and untouched. */
export const SignedBytes = Schema.Struct({
  payload: Schema.String,
  /** Armored SSHSIG signatures over exactly these bytes. */
  signatures: Schema.Array(Schema.String),
  /**
   * In base64, what the op's `target.sha256` names: for `policy.widen` the policy itself; for `signers.update` the JSON of the signed
   * list (`encodeAttachedSigners`), of whose payload that is the hash. No other op brings any.
   */
  document: Schema.optional(Schema.String)
})
export type SignedBytes = typeof SignedBytes.Type

/**
 * The hub's answer to a report. `acked` is the highest event number that the hub has stored for this host epoch: everything
 * up to it may be forgotten. `want: "full"` asks for the whole inventory in the next report. Keys that a reader does not know
 * are ignored.
 */
export const Envelope = Schema.Struct({
  typ: Schema.Literal(envelopeType),
  host: HostId,
  hostEpoch: HostEpoch,
  serverTime: EpochMillis,
  nextReportSeconds: Schema.Number.pipe(Schema.finite(), Schema.nonNegative()),
  acked: Schema.NonNegativeInt,
  /** A `DesiredDocument` in base64; absent when the host has the current one or none was ever set. */
  desired: Schema.optional(Schema.String),
  unchanged: Schema.optional(Schema.Boolean),
  ops: Schema.Array(SignedBytes),
  /** The versions of the fleet's signers (`SignersDocument`) that the host lacks, oldest first. */
  signers: Schema.Array(SignedBytes),
  want: Schema.optional(Schema.Literal("full"))
})
export type Envelope = typeof Envelope.Type
