import { counterWords, type DiskCounters, type DiskReading } from "./DiskReading.ts"
import { type HealthState, worstOf } from "./Health.ts"

/** What is said of a thing at one look. */
export interface Judgement {
  readonly state: HealthState
  readonly reasons: ReadonlyArray<string>
}

/** What a disk had counted by the end of one day, in days since 1970. */
export interface DiskPoint {
  readonly day: number
  readonly counters: DiskCounters
  readonly used: number | null
}

/** What is known of a disk at one look. */
export interface DiskSight {
  /** Its own verdict; null where it gives none. */
  readonly passed: boolean | null
  readonly celsius: number | null
  readonly reading: DiskReading
  /** Per cent of its life left as Proxmox VE reckons it; null where it doesn't. */
  readonly lifeLeft: number | null
}

type Said = readonly [state: HealthState, reason: string]

/** Backblaze's five (5, 187, 188, 197, 198), and NVMe's media errors. Timeouts are often a cable's, so they count when they grow. */
const countsAtOnce: ReadonlyArray<keyof DiskCounters> = ["reallocated", "pending", "uncorrectable", "reported", "media"]
const counted: ReadonlyArray<keyof DiskCounters> = [...countsAtOnce, "timeouts"]

/** How far back a trend goes, in days, and on how many of them a count must have grown to be one. */
const trendDays = 30
const growingDays = 2

/** On how many days within the trend a count went up, and from what it did. */
const growth = (history: ReadonlyArray<DiskPoint>, counter: keyof DiskCounters, day: number) => {
  const points = history
    .filter((point) => point.day > day - trendDays && point.day <= day)
    .flatMap(({ counters, day }) => counters[counter] === null ? [] : [{ day, value: counters[counter] }])
  const days = points.filter(({ value }, at) => value > (points[at - 1]?.value ?? value)).length
  const from = Math.min(...points.map(({ value }) => value))
  return { days, from, since: points[0]?.day ?? day }
}

const daysAgo = (days: number): string => days === 1 ? "1 day" : `${days} days`

const ofCounters = (
  { counters }: DiskReading,
  history: ReadonlyArray<DiskPoint>,
  day: number
): ReadonlyArray<Said> =>
  counted.flatMap((counter): ReadonlyArray<Said> => {
    const value = counters[counter]
    if (value === null || value === 0) return []
    const { days, from, since } = growth(history, counter, day)
    const what = `${value} ${counterWords[counter]}`
    if (days >= growingDays) {
      return [[
        "fail",
        `it has ${what}, ${value - from} more than ${daysAgo(day - since)} ago, and goes on: replace it`
      ]]
    }
    if (days > 0) return [["warn", `it has ${what}, ${value - from} more than ${daysAgo(day - since)} ago`]]
    return countsAtOnce.includes(counter) ? [["warn", `it has ${what}`]] : []
  })

// Bits of NVMe's Critical Warning.
const criticalBits: ReadonlyArray<Said> = [
  ["fail", "its spare blocks are used up below its own limit: replace it"],
  ["warn", "it finds its own temperature too high or too low"],
  ["fail", "it says that it is no longer reliable: replace it"],
  ["fail", "it takes no writes any more: replace it"],
  ["warn", "what keeps its cache through a power cut has failed"]
]

const ofNvme = ({ criticalWarning, spare, spareThreshold }: DiskReading): ReadonlyArray<Said> => {
  const bits = criticalBits.filter((_, bit) => ((criticalWarning ?? 0) & (1 << bit)) !== 0)
  const spareTold = bits[0] === criticalBits[0]
  return [
    ...bits,
    ...(spare === null || spareThreshold === null || spareTold
      ? []
      : spare <= spareThreshold
      ? [
        [
          "fail",
          `${spare} % of its spare blocks are left, and its own limit is ${spareThreshold} %: replace it`
        ] as const
      ]
      : spare <= spareThreshold + 10
      ? [["warn", `${spare} % of its spare blocks are left, close to its own limit of ${spareThreshold} %`] as const]
      : [])
  ]
}

// Bits of smartctl's exit status; those of its error log and of failed commands come with a bad cable, too.
const exitBits: ReadonlyArray<readonly [bit: number, state: HealthState, reason: string]> = [
  [4, "fail", "an attribute by which its maker foretells failure is at its limit: replace it"],
  [5, "warn", "an attribute of its was at its maker's limit at some time"],
  [7, "warn", "a test that it made of itself failed (smartctl -l selftest)"]
]

/** Of the life that its maker promised, in per cent. */
const nearlyUsed = 90
const allUsed = 100

const ofWear = ({ lifeLeft, reading }: DiskSight): ReadonlyArray<Said> => {
  const used = reading.used ?? (lifeLeft === null ? null : 100 - lifeLeft)
  if (used === null || used < nearlyUsed) return []
  return used >= allUsed
    ? [["warn", `the life that its maker promised is over (${used} % used): have another one at hand`]]
    : [["warn", `${used} % of the life that its maker promised is used`]]
}

/** Where a disk names no limit of its own: data sheets end at 60 °C for platters that turn, at 70 °C for flash. */
const usualLimits = (rotates: boolean | null) => rotates === true ? { warn: 55, fail: 60 } : { warn: 65, fail: 70 }

const ofTemperature = ({ celsius, reading }: DiskSight): ReadonlyArray<Said> => {
  if (celsius === null) return []
  const usual = usualLimits(reading.rotates)
  const critical = reading.celsiusCritical ?? (reading.celsiusWarning === null ? usual.fail : null)
  const warning = reading.celsiusWarning ??
    (reading.celsiusCritical === null ? usual.warn : reading.celsiusCritical - 5)
  if (critical !== null && celsius >= critical) {
    return [["fail", `it is at ${celsius} °C, and its limit is ${critical} °C: see to its cooling`]]
  }
  return celsius >= warning ? [["warn", `it is at ${celsius} °C, close to its limit`]] : []
}

/** Worst first; the state is the worst of them, and `ok` where there is none. */
export const concluded = (said: ReadonlyArray<Said>): Judgement => {
  const state = worstOf(["ok", ...said.map(([each]) => each)])
  const order = (each: HealthState) => each === "fail" ? 0 : each === "warn" ? 1 : 2
  return { state, reasons: said.toSorted(([a], [b]) => order(a) - order(b)).map(([, reason]) => reason) }
}

/**
 * How a disk is by what it says of itself and by how that has moved over the last month; `history` in the order of its days, `day` is
 * today's. The thresholds and where they come from stand in docs/health.md.
 */
export const judgeDisk = (sight: DiskSight, history: ReadonlyArray<DiskPoint>, day: number): Judgement => {
  const { passed, reading } = sight
  const failing = passed === false || (reading.exit & 8) !== 0
  return concluded([
    ...(failing ? [["fail", "it says that it is failing: save what is on it, and replace it"] as const] : []),
    ...exitBits.filter(([bit]) => (reading.exit & (1 << bit)) !== 0).map(([, state, reason]) =>
      [state, reason] as const
    ),
    ...ofNvme(reading),
    ...ofCounters(reading, history, day),
    ...ofWear(sight),
    ...ofTemperature(sight)
  ])
}
