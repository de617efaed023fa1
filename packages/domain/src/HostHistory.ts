import { Schema } from "effect"
import { HostId } from "./HostId.ts"
import { EpochMillis } from "./Time.ts"

/** What was measured of one metric within one span of time: how often, the mean, and the highest value. */
export const MetricMean = Schema.Struct({
  count: Schema.Int,
  mean: Schema.Number,
  max: Schema.Number
})
export type MetricMean = typeof MetricMean.Type

/**
 * One span of a host's history, beginning at `at` by the hub's clock. `cpu`, `memory`, `root` and `storage:NAME` are shares of
 * one, `load` is that of one minute, `guests` how many ran. A metric that was not known in this span is not there.
 */
export const HistoryPoint = Schema.Struct({
  at: EpochMillis,
  metrics: Schema.Record({ key: Schema.String, value: MetricMean })
})
export type HistoryPoint = typeof HistoryPoint.Type

/**
 * A host's history as its hub kept it: the hub's word, not signed by the host. A span without any report has no point. The
 * longer ago it begins, the longer are the spans: five minutes for two days, an hour for sixty days, a day for three years.
 */
export const HostHistory = Schema.Struct({
  host: HostId,
  since: EpochMillis,
  until: EpochMillis,
  /** How long each span is. */
  seconds: Schema.Int,
  points: Schema.Array(HistoryPoint),
  /** When history was last thrown away because the hub's store was full; null when it never was. */
  trimmedAt: Schema.NullOr(EpochMillis)
})
export type HostHistory = typeof HostHistory.Type
