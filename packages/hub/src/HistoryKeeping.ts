import { Effect, Schema } from "effect"
import type { Database } from "./Database.ts"
import type { SqlText } from "./StoreConnection.ts"
import { mergedPoints, Point, spanOf, type Tier, tiers, type Trend } from "./Trend.ts"

const Row = Schema.Struct({ point: Schema.parseJson(Point) })

const day = 86_400_000

const pointText = (host: string, { seconds }: Tier, at: number): SqlText => ({
  sql: "SELECT point FROM history WHERE host_id = ? AND seconds = ? AND at = ?",
  parameters: [host, seconds, at]
})

/**
 * Keeps a span that ended: as a point of its own, and within the hour and the day that it lies in. So the longer points are
 * right at any time, and nothing has to be summed up later. Points beyond their time go in the same step.
 */
export const endedTexts = (
  readText: (typeof Database.Service)["readText"],
  host: string,
  ended: Trend,
  now: number
) =>
  Effect.map(
    Effect.forEach(tiers, (tier) => {
      const at = spanOf(tier.seconds, ended.at)
      return Effect.map(readText(Row, pointText(host, tier, at)), ([kept]): ReadonlyArray<SqlText> => [
        {
          sql: `INSERT INTO history (host_id, seconds, at, point) VALUES (?, ?, ?, ?)
            ON CONFLICT (host_id, seconds, at) DO UPDATE SET point = excluded.point`,
          parameters: [
            host,
            tier.seconds,
            at,
            JSON.stringify(kept === undefined ? ended.point : mergedPoints(kept.point, ended.point))
          ]
        },
        {
          sql: "DELETE FROM history WHERE host_id = ? AND seconds = ? AND at < ?",
          parameters: [host, tier.seconds, now - tier.days * day]
        }
      ])
    }),
    (texts) => texts.flat()
  )
