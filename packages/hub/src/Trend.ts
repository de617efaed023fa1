import type { HostReport } from "@felhom/domain/HostReport"
import { Schema } from "effect"

/** How many values, their mean and the highest of them. */
export const Mean = Schema.Tuple(Schema.Int, Schema.Number, Schema.Number)
export type Mean = typeof Mean.Type

/**
 * What was measured within one span of time, by metric: `cpu`, `memory` and `root` as shares of one, `load` over one minute,
 * `guests` that run, and `storage:NAME` as the share that is used. What was unknown all the while is not there: a gap, no zero.
 */
export const Point = Schema.Record({ key: Schema.String, value: Mean })
export type Point = typeof Point.Type

/** The span under way; `at` is its beginning, in milliseconds. */
export const Trend = Schema.Struct({ at: Schema.Int, point: Point })
export type Trend = typeof Trend.Type

/** The lengths of the points that are kept, in seconds, and for how long, in days. The first is what reports are gathered into. */
export const tiers = [
  { seconds: 300, days: 2 },
  { seconds: 3600, days: 60 },
  { seconds: 86_400, days: 1095 }
] as const
export type Tier = (typeof tiers)[number]

/** A host with more storages, or with longer names, than anybody has is cut short here: points must stay small. */
const storagesKept = 32
const nameKept = 100

/** The beginning of the span that a moment lies in, in milliseconds. */
export const spanOf = (seconds: number, at: number): number => Math.floor(at / (seconds * 1000)) * seconds * 1000

const shareOf = (used: number | null, total: number | null): number | null =>
  used === null || total === null || total <= 0 ? null : used / total

/** A report's own values; what it does not know is left out. */
const valuesOf = ({ inventory, samples, sections }: HostReport): ReadonlyArray<readonly [string, number | null]> => {
  const node = samples.node.state === "ok" ? samples.node.value : undefined
  const usages = sections.storage.state === "ok" ? sections.storage.value.slice(0, storagesKept) : []
  return [
    ["cpu", node?.cpu ?? null],
    ["memory", node === undefined ? null : shareOf(node.memoryUsed, node.memoryTotal)],
    ["root", node === undefined ? null : shareOf(node.rootUsed, node.rootTotal)],
    ["load", node?.load[0] ?? null],
    ["guests", runningGuests(inventory, samples)],
    ...usages.filter(({ storage }) => storage.length <= nameKept).map(
      ({ storage, total, used }) => [`storage:${storage}`, shareOf(used, total)] as const
    )
  ]
}

/** By the inventory where it came along, else by who has been up for any time: a report without inventory names no states. */
const runningGuests = (inventory: HostReport["inventory"], samples: HostReport["samples"]): number | null => {
  if (inventory?.guests.state === "ok") {
    return inventory.guests.value.filter(({ status, template }) => status === "running" && !template).length
  }
  return samples.guests.state === "ok"
    ? samples.guests.value.filter(({ uptimeSeconds }) => uptimeSeconds !== null && uptimeSeconds > 0).length
    : null
}

/** Five digits say more than anybody reads off a line, and take a third of the room. */
const rounded = (value: number): number => Number(value.toPrecision(5))

const merged = (a: Mean | undefined, b: Mean): Mean => {
  if (a === undefined) return b
  const count = a[0] + b[0]
  return [count, rounded(a[1] + (b[1] - a[1]) * b[0] / count), Math.max(a[2], b[2])]
}

/** Both spans' values as those of one. */
export const mergedPoints = (a: Point, b: Point): Point => {
  const all: { [metric: string]: Mean } = { ...a }
  for (const [metric, mean] of Object.entries(b)) all[metric] = merged(all[metric], mean)
  return all
}

/** A point of this report alone. */
export const pointOf = (report: HostReport): Point => {
  const point: { [metric: string]: Mean } = {}
  for (const [metric, value] of valuesOf(report)) {
    if (value === null || !Number.isFinite(value)) continue
    const kept = rounded(value)
    point[metric] = [1, kept, kept]
  }
  return point
}

/** The span under way after one more report, and the one that it ended, if it did. `now` by the hub's clock. */
export const withReport = (
  trend: Trend | null,
  report: HostReport,
  now: number
): { readonly trend: Trend; readonly ended: Trend | null } => {
  const at = spanOf(tiers[0].seconds, now)
  const point = pointOf(report)
  return trend?.at === at
    ? { trend: { at, point: mergedPoints(trend.point, point) }, ended: null }
    : { trend: { at, point }, ended: trend }
}
