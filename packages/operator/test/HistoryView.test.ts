import type { HistoryPoint, HostHistory } from "@felhom/domain/HostHistory"
import { HostId } from "@felhom/domain/HostId"
import { EpochMillis } from "@felhom/domain/Time"
import { renderHistory, renderMetric } from "@felhom/operator/HistoryView"
import { expect, it } from "vitest"

const hour = 3_600_000
const noon = 1_790_000_000_000 - 1_790_000_000_000 % hour

const point = (hours: number, metrics: HistoryPoint["metrics"]): HistoryPoint => ({
  at: EpochMillis.make(noon + hours * hour),
  metrics
})

const value = (mean: number, max = mean) => ({ count: 10, mean, max })

const history = (points: ReadonlyArray<HistoryPoint>, trimmedAt: number | null = null): HostHistory => ({
  host: HostId.make("a".repeat(32)),
  since: EpochMillis.make(noon),
  until: EpochMillis.make(noon + 48 * hour),
  seconds: 3600,
  points,
  trimmedAt: trimmedAt === null ? null : EpochMillis.make(trimmedAt)
})

it("draws a line for each metric, with a gap where nothing was known", () => {
  const lines = renderHistory(
    history([point(0, { cpu: value(0, 0) }), point(1, { cpu: value(0.5, 1) }), point(3, { cpu: value(0.3) })]),
    "attic",
    false
  )
  expect(lines[0]).toContain("attic, the last 2 d in spans of 1 h; · is unknown")
  expect(lines[2]).toBe(`cpu     30 %  26 %    100 %  ▁█·▃${"·".repeat(44)}`)
})

it("shows one metric span by span, and says where it was not known", () => {
  const lines = renderMetric(
    history([point(0, { load: value(1, 2) }), point(1, { cpu: value(1) })]),
    "attic",
    "load",
    false
  )
  expect(lines.at(-2)).toMatch(/^\d{4}-\d\d-\d\d \d\d:00 +1\.00 +2\.00 {2}█████░░░░░$/)
  expect(lines.at(-1)).toMatch(/:00 +\? +\?$/)
})

it("says that it is the hub's word, and when the hub threw some of it away", () => {
  const lines = renderHistory(history([], noon + 47 * hour), "attic", false)
  expect(lines.join("\n")).toContain("not signed")
  expect(lines[1]).toContain("threw old history away 1 h ago")
  expect(lines.at(-1)).toBe("nothing is known of that time")
})

it("lets no name from the wire play with the terminal", () => {
  const hostile = "storage:\u001b[2Jx"
  const lines = renderHistory(history([point(0, { [hostile]: value(0.5) })]), "at\u001b[2Jtic", false)
  expect(lines.join("\n")).not.toContain("\u001b")
})
