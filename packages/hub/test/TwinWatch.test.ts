import { describe, it } from "@effect/vitest"
import * as TwinWatch from "@felhom/hub/TwinWatch"
import { Effect } from "effect"
import { expect } from "vitest"
import { report } from "./ReportBuilder.ts"

const hour = 3_600_000

/** Has it look at reports by their boot, number and time, each with bytes of its own; what it says of each. */
const look = (reports: ReadonlyArray<{ readonly boot: string; readonly sequence: number; readonly at: number }>) =>
  Effect.map(TwinWatch.TwinWatch, (twins) =>
    reports.map(({ at, boot, sequence }, index) => {
      const { host } = report()
      return twins.look(report({ host: { ...host, bootId: boot }, sequence }), String(index), at)
    })).pipe(Effect.provide(TwinWatch.layer))

const said = expect.stringContaining("two agents report with this host's identity")

describe("two agents of one identity", () => {
  it.effect("are told by an earlier boot that speaks again, however many reports were between", () =>
    Effect.gen(function*() {
      const between = Array.from({ length: 40 }, (_, index) => ({ boot: "b", sequence: index + 2, at: index }))
      const found = yield* look([{ boot: "a", sequence: 1, at: 0 }, ...between, { boot: "a", sequence: 99, at: 50 }])
      expect(found.slice(0, -1).filter((word) => word !== undefined)).toEqual([])
      expect(found.at(-1)).toEqual(said)
    }))

  it.effect("are told by numbers that go back three times within an hour, and not when the first is longer ago", () =>
    Effect.gen(function*() {
      const falling = (last: number) =>
        [[5, 0], [4, 1], [6, 2], [5, 3], [7, 4], [6, last]].map(([sequence = 0, at = 0]) => ({
          boot: "a",
          sequence,
          at
        }))
      expect((yield* look(falling(hour))).at(-1)).toEqual(said)
      expect((yield* look(falling(hour + 1))).at(-1)).toBeUndefined()
    }))
})
