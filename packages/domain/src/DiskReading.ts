import { Schema } from "effect"

const Count = Schema.NullOr(Schema.NonNegativeInt)

/**
 * What a disk counts of its own mishaps over its whole life; null where it does not say. The first five are the ATA attributes 5, 197,
 * 198, 187 and 188; a SCSI disk's grown defects and uncorrected errors stand under `reallocated` and `uncorrectable`.
 */
export const DiskCounters = Schema.Struct({
  reallocated: Count,
  pending: Count,
  uncorrectable: Count,
  reported: Count,
  timeouts: Count,
  /** NVMe: Media and Data Integrity Errors. */
  media: Count
})
export type DiskCounters = typeof DiskCounters.Type

/** What a disk said of itself through smartctl, beyond its own verdict. Degrees Celsius, per cent. */
export const DiskReading = Schema.Struct({
  serial: Schema.NullOr(Schema.String),
  model: Schema.NullOr(Schema.String),
  /** smartctl's exit status: a set of bits (smartctl(8), EXIT STATUS). */
  exit: Schema.NonNegativeInt,
  /** Platters that turn; null where it does not say. */
  rotates: Schema.NullOr(Schema.Boolean),
  counters: DiskCounters,
  /** NVMe: a set of bits (NVMe base specification, SMART / Health Information log). */
  criticalWarning: Count,
  spare: Schema.NullOr(Schema.Number),
  spareThreshold: Schema.NullOr(Schema.Number),
  /** Of the life that its maker promised; may be more than 100. */
  used: Schema.NullOr(Schema.Number),
  hours: Schema.NullOr(Schema.Number),
  /** From where on the disk itself calls its temperature too high, and critical. */
  celsiusWarning: Schema.NullOr(Schema.Number),
  celsiusCritical: Schema.NullOr(Schema.Number)
})
export type DiskReading = typeof DiskReading.Type

/** What a disk counts, by the words for it. */
export const counterWords: { readonly [counter in keyof DiskCounters]: string } = {
  reallocated: "reallocated sectors",
  pending: "sectors that wait to be reallocated",
  uncorrectable: "sectors that could not be read",
  reported: "errors that it could not correct",
  timeouts: "commands that timed out",
  media: "media errors"
}
