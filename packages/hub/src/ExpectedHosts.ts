import type { ExpectedHost } from "@felhom/domain/EnrolmentApi"
import { HostId } from "@felhom/domain/HostId"
import { humanDuration } from "@felhom/domain/HumanText"
import { NodeName } from "@felhom/domain/ProxmoxId"
import { EpochMillis } from "@felhom/domain/Time"
import { Clock, Context, Effect, Layer, Schema } from "effect"
import { AlarmBook } from "./AlarmBook.ts"
import type { Symptom } from "./AlarmJudgement.ts"
import { Database } from "./Database.ts"
import { acknowledgedAs } from "./HostJudge.ts"
import type { StoreError } from "./StoreError.ts"

/** Hosts that a person let in and that have not been heard yet. */
export class ExpectedHosts extends Context.Tag("felhom/hub/ExpectedHosts")<ExpectedHosts, {
  readonly list: Effect.Effect<ReadonlyArray<ExpectedHost>, StoreError>
  /** Those that are awaited for too long. */
  readonly symptoms: Effect.Effect<ReadonlyArray<Symptom>, StoreError>
}>() {}

/** An agent that waits asks every minute or so; after that long something is in its way, in milliseconds. */
const patience = 3_600_000

const Row = Schema.Struct({
  host: HostId,
  node: NodeName,
  acceptedAt: EpochMillis,
  acceptedBy: Schema.String
})
type Row = typeof Row.Type

const sentence = ({ acceptedAt }: Row, now: number): string =>
  `was accepted ${humanDuration(now - acceptedAt)} ago and has not reported yet: is its agent running?`

const make = Effect.gen(function*() {
  const { read, sql } = yield* Database
  const book = yield* AlarmBook
  const rows = read(
    Row,
    sql`SELECT host_id AS host, node, accepted_at AS "acceptedAt", coalesce(accepted_by, '') AS "acceptedBy" FROM host_key
      WHERE accepted_at IS NOT NULL AND host_id NOT IN (SELECT host_id FROM host)
        AND host_id NOT IN (SELECT host_id FROM retired_host)
      ORDER BY accepted_at, host_id`
  )
  return ExpectedHosts.of({
    list: Effect.gen(function*() {
      const now = yield* Clock.currentTimeMillis
      const alarms = yield* book.open
      return (yield* rows).map((row) => {
        const acknowledged = acknowledgedAs(alarms, "unreported", row.host) ?? null
        const late = now - row.acceptedAt > patience
        return {
          ...row,
          attention: late && acknowledged === null ? sentence(row, now) : null,
          acknowledged: late && acknowledged !== null ? acknowledged : null
        }
      })
    }),
    symptoms: Effect.gen(function*() {
      const now = yield* Clock.currentTimeMillis
      return (yield* rows).filter(({ acceptedAt }) => now - acceptedAt > patience).map(({ host, node }) => ({
        host,
        node,
        cause: "unreported",
        severity: "warning" as const,
        sentence: "was accepted and has not reported yet"
      }))
    })
  })
})

export const layer: Layer.Layer<ExpectedHosts, never, Database | AlarmBook> = Layer.effect(ExpectedHosts, make).pipe(
  Layer.ensureRequirementsType<Database | AlarmBook>()
)
