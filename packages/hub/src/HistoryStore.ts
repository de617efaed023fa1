import type { HostHistory } from "@felhom/domain/HostHistory"
import type { HostId } from "@felhom/domain/HostId"
import { EpochMillis } from "@felhom/domain/Time"
import { Clock, Context, Effect, Layer, Option, Schema } from "effect"
import { Database } from "./Database.ts"
import type { StoreError } from "./StoreError.ts"
import { mergedPoints, Point, spanOf, type Tier, tiers, Trend } from "./Trend.ts"

/** What the hub kept of its hosts' past. */
export class HistoryStore extends Context.Tag("felhom/hub/HistoryStore")<HistoryStore, {
  /** From the moment `since` on, in milliseconds by the hub's clock; none when the host is unknown. */
  readonly since: (host: HostId, since: number) => Effect.Effect<Option.Option<HostHistory>, StoreError>
}>() {}

const day = 86_400_000

const HeldRow = Schema.Struct({
  trend: Schema.NullOr(Schema.parseJson(Trend)),
  trimmedAt: Schema.NullOr(EpochMillis)
})

const PointRow = Schema.Struct({ at: Schema.Int, point: Schema.parseJson(Point) })

/** The shortest spans that are kept for so long; the longest ones when nothing is. */
const tierFor = (age: number): Tier => tiers.find(({ days }) => age <= days * day) ?? tiers[2]

const metricsOf = (point: Point) =>
  Object.fromEntries(Object.entries(point).map(([metric, [count, mean, max]]) => [metric, { count, mean, max }]))

const make = Effect.gen(function*() {
  const { readText } = yield* Database

  const history = (host: HostId, since: number) =>
    Effect.gen(function*() {
      const now = yield* Clock.currentTimeMillis
      const [held] = yield* readText(HeldRow, {
        sql: `SELECT trend, (SELECT trimmed_at FROM store) AS trimmedAt FROM host WHERE host_id = ?`,
        parameters: [host]
      })
      if (held === undefined) return Option.none()
      const { seconds } = tierFor(now - since)
      const rows = yield* readText(PointRow, {
        sql: "SELECT at, point FROM history WHERE host_id = ? AND seconds = ? AND at >= ? ORDER BY at",
        parameters: [host, seconds, spanOf(seconds, since)]
      })
      const points = new Map(rows.map(({ at, point }) => [at, point]))
      const { trend } = held
      // The five minutes under way are in no point yet.
      if (trend !== null && trend.at >= spanOf(seconds, since)) {
        const at = spanOf(seconds, trend.at)
        points.set(at, mergedPoints(points.get(at) ?? {}, trend.point))
      }
      const found: HostHistory = {
        host,
        since: EpochMillis.make(since),
        until: EpochMillis.make(now),
        seconds,
        points: Array.from(points, ([at, point]) => ({ at: EpochMillis.make(at), metrics: metricsOf(point) }))
          .toSorted((a, b) => a.at - b.at),
        trimmedAt: held.trimmedAt
      }
      return Option.some(found)
    })

  return HistoryStore.of({ since: history })
})

export const layer: Layer.Layer<HistoryStore, never, Database> = Layer.effect(HistoryStore, make).pipe(
  Layer.ensureRequirementsType<Database>()
)
