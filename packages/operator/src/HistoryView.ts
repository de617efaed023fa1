import type { HistoryPoint, HostHistory, MetricMean } from "@felhom/domain/HostHistory"
import { humanDuration, humanShare } from "@felhom/domain/HumanText"
import { bar, type Cell, type Column, paint, renderTable, toned } from "./Table.ts"

/** A line of at most so many places; each is as high as the highest value within it. */
const places = 48
const heights = "▁▂▃▄▅▆▇█"
/** A span in which nobody knew: a gap, and no zero. */
const gap = "·"

const isShare = (metric: string): boolean => metric !== "load" && metric !== "guests"

const shown = (metric: string, value: number): string =>
  isShare(metric) ? humanShare(value) : metric === "guests" ? String(Math.round(value)) : value.toFixed(2)

/** What the top of a line stands for: all of it for shares, else the highest value there was. */
const topOf = (metric: string, highest: number): number => (isShare(metric) ? 1 : Math.max(highest, 1))

const heightOf = (value: number, top: number): string =>
  heights[Math.min(heights.length - 1, Math.max(0, Math.floor(value / top * heights.length)))] ?? gap

const known = (metric: string, points: ReadonlyArray<HistoryPoint>): ReadonlyArray<MetricMean> =>
  points.flatMap(({ metrics }) => metrics[metric] ?? [])

const line = (metric: string, { points, since, until }: HostHistory, top: number): string => {
  const width = Math.max(1, (until - since) / places)
  const highest = new Map<number, number>()
  for (const { at, metrics } of points) {
    const place = Math.min(places - 1, Math.max(0, Math.floor((at - since) / width)))
    const max = metrics[metric]?.max
    if (max !== undefined) highest.set(place, Math.max(max, highest.get(place) ?? 0))
  }
  return Array.from({ length: places }, (_, place) => {
    const value = highest.get(place)
    return value === undefined ? gap : heightOf(value, top)
  }).join("")
}

const columns: ReadonlyArray<Column> = [
  { title: "METRIC", atMost: 40 },
  { title: "LAST", align: "right" },
  { title: "MEAN", align: "right" },
  { title: "HIGHEST", align: "right" },
  { title: "" }
]

const row = (metric: string, history: HostHistory): ReadonlyArray<Cell> => {
  const values = known(metric, history.points)
  const count = values.reduce((sum, value) => sum + value.count, 0)
  const mean = values.reduce((sum, value) => sum + value.mean * value.count, 0) / count
  const highest = Math.max(...values.map(({ max }) => max))
  return [
    metric,
    shown(metric, values.at(-1)?.mean ?? 0),
    shown(metric, mean),
    shown(metric, highest),
    line(metric, history, topOf(metric, highest))
  ]
}

/** All metrics that are known at any time, the host's own before its storages. */
const metricsOf = ({ points }: HostHistory): ReadonlyArray<string> => {
  const all = Array.from(new Set(points.flatMap(({ metrics }) => Object.keys(metrics))))
  const own = ["cpu", "load", "memory", "root", "guests"]
  return [...own.filter((metric) => all.includes(metric)), ...all.filter((metric) => !own.includes(metric)).toSorted()]
}

const caption = ({ seconds, since, until }: HostHistory, node: string): string =>
  `${paint(node, false)}, the last ${humanDuration(until - since)} in spans of ${
    humanDuration(seconds * 1000)
  }; ${gap} is unknown. ` +
  "This is the hub's word: history is not signed."

const trimmed = ({ trimmedAt, until }: HostHistory): ReadonlyArray<string> =>
  trimmedAt === null
    ? []
    : [
      `The hub threw old history away ${
        humanDuration(until - trimmedAt)
      } ago, because its store was full (--max-store-bytes).`
    ]

/** What `felhom history HOST` shows: a line for each metric. */
export const renderHistory = (history: HostHistory, node: string, colours: boolean): ReadonlyArray<string> => {
  const metrics = metricsOf(history)
  return [
    caption(history, node),
    ...trimmed(history),
    ...(metrics.length === 0
      ? ["nothing is known of that time"]
      : renderTable(columns, metrics.map((metric) => row(metric, history)), colours))
  ]
}

const pointColumns: ReadonlyArray<Column> = [
  { title: "FROM (UTC)" },
  { title: "MEAN", align: "right" },
  { title: "HIGHEST", align: "right" },
  { title: "" }
]

/** The spans of one metric; those in which it was not known stand there as unknown. */
export const renderMetric = (
  history: HostHistory,
  node: string,
  metric: string,
  colours: boolean
): ReadonlyArray<string> => {
  const top = topOf(metric, Math.max(0, ...known(metric, history.points).map(({ max }) => max)))
  const rows = history.points.map(({ at, metrics }): ReadonlyArray<Cell> => {
    const when = new Date(at).toISOString().slice(0, 16).replace("T", " ")
    const value = metrics[metric]
    return value === undefined
      ? [when, toned("dim", "?"), toned("dim", "?"), ""]
      : [when, shown(metric, value.mean), shown(metric, value.max), bar(value.mean / top)]
  })
  return [
    `${paint(metric, false)} of ${caption(history, node)}`,
    ...trimmed(history),
    ...(rows.length === 0 ? ["nothing is known of that time"] : renderTable(pointColumns, rows, colours))
  ]
}
