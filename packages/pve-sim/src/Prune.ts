import { parsePropertyString } from "@felhom/domain/PropertyString"
import type { Volume } from "./Volume.ts"

/** How many backups to keep, by bucket; `all` keeps every one (platform-facts 6.4). */
export interface Retention {
  readonly all: boolean
  readonly keep: ReadonlyMap<string, number>
}

export type Mark = "keep" | "remove" | "protected" | "renamed"

const buckets = ["last", "hourly", "daily", "weekly", "monthly", "yearly"] as const

/** Reads `keep-last=3,keep-daily=7`; undefined stands for no limit given. */
export const parseRetention = (text: string | undefined): Retention | undefined => {
  if (text === undefined) return undefined
  const keep = new Map<string, number>()
  let all = false
  for (const [name, value] of parsePropertyString(text).entries) {
    if (name === "keep-all") all = value === "1"
    else if (name.startsWith("keep-") && Number(value) > 0) keep.set(name.slice("keep-".length), Number(value))
  }
  return { all: all || keep.size === 0, keep }
}

// ISO weeks count from Monday; the year is the one that the week's Thursday lies in.
const isoWeek = (date: Date): string => {
  const thursday = new Date(date)
  thursday.setUTCDate(date.getUTCDate() + 4 - (date.getUTCDay() || 7))
  const first = Date.UTC(thursday.getUTCFullYear(), 0, 1)
  return `${thursday.getUTCFullYear()}/${Math.ceil(((thursday.getTime() - first) / 86_400_000 + 1) / 7)}`
}

const periodOf = (bucket: typeof buckets[number], localSeconds: number): string => {
  const date = new Date(localSeconds * 1000)
  const iso = date.toISOString()
  if (bucket === "last") return String(localSeconds)
  if (bucket === "weekly") return isoWeek(date)
  return iso.slice(0, { hourly: 13, daily: 10, monthly: 7, yearly: 4 }[bucket])
}

const standardName = /\/vzdump-(?:lxc|qemu)-\d+-\d{4}_\d\d_\d\d-\d\d_\d\d_\d\d\./

/**
 * Marks the backups of one guest. Each bucket looks only at what no earlier one kept, newest first; a period that an earlier
 * bucket keeps one of counts as covered. `offset` is local time minus UTC, in seconds.
 */
export const markBackups = (
  backups: ReadonlyArray<Volume>,
  retention: Retention,
  offset: number
): ReadonlyMap<Volume, Mark> => {
  const marks = new Map<Volume, Mark>()
  const newestFirst = backups.toSorted((a, b) => b.ctime - a.ctime)
  for (const volume of newestFirst) {
    if (volume.protected) marks.set(volume, "protected")
    else if (!standardName.test(volume.volid)) marks.set(volume, "renamed")
  }
  const candidates = newestFirst.filter((volume) => !marks.has(volume))
  if (retention.all) {
    for (const volume of candidates) marks.set(volume, "keep")
    return marks
  }
  for (const bucket of buckets) {
    const wanted = retention.keep.get(bucket) ?? 0
    const period = (volume: Volume): string =>
      bucket === "last" ? volume.volid : periodOf(bucket, volume.ctime + offset)
    const covered = new Set(candidates.filter((volume) => marks.get(volume) === "keep").map(period))
    const added = new Set<string>()
    for (const volume of candidates) {
      if (added.size >= wanted) break
      if (marks.has(volume) || covered.has(period(volume)) || added.has(period(volume))) continue
      marks.set(volume, "keep")
      added.add(period(volume))
    }
  }
  for (const volume of candidates) if (!marks.has(volume)) marks.set(volume, "remove")
  return marks
}
