import { OpState } from "@felhom/domain/OpsApi"
import { Effect, Schema } from "effect"
import type { Concern } from "./Concern.ts"
import { critical, warning } from "./Concern.ts"
import type { Database } from "./Database.ts"
import { Blob } from "./KeptReports.ts"
import { readClaim } from "./OpClaimReading.ts"
import type { StoreError } from "./StoreError.ts"

const Row = Schema.Struct({
  host: Schema.String,
  op: Schema.String,
  state: OpState,
  message: Schema.NullOr(Schema.String),
  payload: Schema.NullOr(Blob),
  submittedBy: Schema.NullOr(Schema.String)
})

/** How long an op that did not end well calls for attention. */
const day = 86_400_000

const verbs: { readonly [state in OpState]?: string } = {
  refused: "refused",
  failed: "failed",
  unknown: "ended in a way that nobody knows"
}

const concern = ({ message, op, payload, state, submittedBy }: typeof Row.Type): Concern => {
  const { claim } = payload === null ? { claim: null } : readClaim(payload)
  const what = claim === null ? "" : ` (${[claim.op, claim.target].filter((word) => word !== null).join(" ")})`
  const verb = verbs[state] ?? state
  const origin = submittedBy === null ? "; it did not come through this hub" : ""
  const sentence = `op ${op.slice(0, 12)}${what} ${state === "refused" ? "was " : ""}${verb}: ${
    message ?? "?"
  }${origin}`
  return state === "failed" ? warning(`op.${state}`, sentence) : critical(`op.${state}`, sentence)
}

/** What became of signed ops within the last day and needs a person, by host. A refusal may be an attack that did not get far. */
export const opConcerns = (
  { read, sql }: typeof Database.Service,
  now: number
): Effect.Effect<ReadonlyMap<string, ReadonlyArray<Concern>>, StoreError> =>
  Effect.map(
    read(
      Row,
      sql`SELECT host_id AS host, op, state, message, payload, submitted_by AS "submittedBy" FROM signed_op
        WHERE changed_at > ${now - day} AND state IN ('refused', 'failed', 'unknown') ORDER BY changed_at`
    ),
    (rows) => {
      const byHost = new Map<string, Array<Concern>>()
      for (const row of rows) byHost.set(row.host, [...(byHost.get(row.host) ?? []), concern(row)])
      return byHost
    }
  )
