import { HostId } from "@felhom/domain/HostId"
import { OpState, type OpSummary } from "@felhom/domain/OpsApi"
import { Sha256Hex } from "@felhom/domain/Sha256"
import { EpochMillis } from "@felhom/domain/Time"
import { Schema } from "effect"
import { Blob } from "./KeptReports.ts"
import { readClaim } from "./OpClaimReading.ts"

/** A signed op as it is stored. `collecting` and `expired` are never stored: they follow from the rest and the time. */
export const OpRow = Schema.Struct({
  host: HostId,
  node: Schema.NullOr(Schema.String),
  op: Sha256Hex,
  payload: Schema.NullOr(Blob),
  signatures: Schema.parseJson(Schema.Array(Schema.String)),
  needs: Schema.Int,
  submittedBy: Schema.NullOr(Schema.String),
  submittedAt: EpochMillis,
  expiresAt: EpochMillis,
  state: OpState,
  message: Schema.NullOr(Schema.String),
  changedAt: EpochMillis,
  /** Which event of the host's said so; null while none did. */
  eventEpoch: Schema.NullOr(Schema.String),
  eventSeq: Schema.NullOr(Schema.Int),
  /** The report that brought this event, by the SHA-256 of its bytes; null when its host did not sign it, or it was not kept. */
  report: Schema.NullOr(Sha256Hex),
  /** What goes with the payload, which names it by its hash. */
  document: Schema.NullOr(Blob)
})
export type OpRow = typeof OpRow.Type

/** How far the op has come at this moment. */
export const stateOf = ({ expiresAt, needs, signatures, state }: OpRow, now: number): OpState => {
  if (state !== "awaiting") return state
  if (now >= expiresAt) return "expired"
  return signatures.length < needs ? "collecting" : "awaiting"
}

/** Whether a host should be given it now: it is complete, in time, and the host has not said how it ended. */
export const isHandedOut = (row: OpRow, now: number): boolean =>
  row.payload !== null && now < row.expiresAt &&
  ["awaiting", "accepted", "waiting", "started"].includes(stateOf(row, now))

export const summaryOf = (row: OpRow, now: number): OpSummary => ({
  host: row.host,
  node: row.node,
  op: row.op,
  state: stateOf(row, now),
  message: row.message,
  claim: row.payload === null ? { op: null, target: null, reason: null } : readClaim(row.payload).claim,
  signatures: row.signatures.length,
  needs: row.needs,
  submittedBy: row.submittedBy,
  submittedAt: row.submittedAt,
  changedAt: row.changedAt,
  expiresAt: row.expiresAt,
  report: row.report
})
