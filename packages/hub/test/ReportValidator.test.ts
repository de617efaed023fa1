import { describe, it } from "@effect/vitest"
import { HostReport } from "@felhom/domain/HostReport"
import { isCertainlyReport } from "@felhom/hub/ReportValidator"
import { Arbitrary, Either, FastCheck, Schema } from "effect"
import { expect } from "vitest"
import { event, wireReport } from "./ReportBuilder.ts"

const decode = Schema.decodeUnknownEither(HostReport, { onExcessProperty: "ignore" })
const encode = Schema.encodeSync(HostReport)

/** As it would come over the wire. */
const wired = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

const isTree = (value: unknown): value is { [key: string]: unknown } => typeof value === "object" && value !== null

/** Puts something in the place that these choices lead to. */
const mutated = (report: unknown, choices: ReadonlyArray<number>, value: unknown): unknown => {
  if (!isTree(report)) return value
  const keys = Object.keys(report)
  const [choice, ...others] = choices
  const key = keys[(choice ?? 0) % Math.max(1, keys.length)]
  if (choice === undefined || key === undefined) return value
  const replaced = mutated(report[key], others, value)
  if (Array.isArray(report)) return report.map((item, index) => (String(index) === key ? replaced : item))
  return replaced === undefined
    ? Object.fromEntries(Object.entries(report).filter(([name]) => name !== key))
    : { ...report, [key]: replaced }
}

const oddities = [
  undefined,
  null,
  true,
  0,
  -1,
  1.5,
  99,
  1e9,
  2 ** 53,
  -(2 ** 53),
  1e300,
  "",
  "ok",
  "unavailable",
  "x".repeat(65),
  "🦊".repeat(200),
  "🦊".repeat(1500),
  "A".repeat(32),
  "a".repeat(32),
  "a\n",
  "Local",
  [],
  [null],
  {},
  { state: "ok" },
  { state: "unavailable", reason: 1 },
  { state: "ok", readAt: 1, value: [] }
]

const reports = FastCheck.oneof(
  FastCheck.constant(wired(wireReport({ events: [event(1), event(2)] }))),
  Arbitrary.make(HostReport).map((report) => wired(encode(report)))
)

describe("the compiled validator", () => {
  it("accepts nothing that the schema refuses", () => {
    FastCheck.assert(
      FastCheck.property(
        reports,
        FastCheck.array(FastCheck.nat(30), { maxLength: 9 }),
        FastCheck.constantFrom(...oddities),
        (report, choices, value) => {
          const json = mutated(report, choices, value)
          if (isCertainlyReport(json)) expect(Either.isRight(decode(json))).toBe(true)
        }
      ),
      { numRuns: 3000 }
    )
  })

  it.each([
    ["a number of a report that JavaScript can't hold", { sequence: 2 ** 53 }],
    ["a message too long by the count of the schema", { events: [event(1, { message: "🦊".repeat(1025) })] }],
    ["a message of unpaired halves, too long", { events: [event(1, { message: "\ud83e".repeat(2049) })] }],
    ["a time before 1970", { takenAt: -1 }]
  ])("leaves %s to the schema", (_, more) => {
    const json = wired(wireReport(more))
    expect(isCertainlyReport(json)).toBe(false)
    expect(Either.isLeft(decode(json))).toBe(true)
  })

  it("decides by itself over what agents send, also over newer ones' keys", () => {
    expect(isCertainlyReport(wired(wireReport({ events: [event(1)] })))).toBe(true)
    expect(isCertainlyReport(wired({ ...wireReport({ inventory: null, sequence: null }), mood: "fine" }))).toBe(true)
  })
})
