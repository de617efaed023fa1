import { type HealthState, rankOf, worstOf } from "@felhom/domain/Health"
import { emptyBook, type HealthBook, inDoubt, looked, type Sighting } from "@felhom/domain/HealthBook"
import { healthOf } from "@felhom/domain/HealthLines"
import { StorageId } from "@felhom/domain/ProxmoxId"
import { EpochMillis } from "@felhom/domain/Time"
import { describe, expect, it } from "vitest"

const hour = 3_600_000
const usb = StorageId.make("usb-backup")

const sighting = (state: HealthState, of: Partial<Sighting> = {}): Sighting => ({
  kind: "disk",
  id: "S1",
  name: "/dev/sda",
  storages: [],
  state,
  reasons: state === "ok" ? [] : [`it is ${state}`],
  ...of
})

/** One look after the other, an hour apart; what the book says after each. */
const over = (states: ReadonlyArray<HealthState | Sighting>) => {
  let book: HealthBook = emptyBook
  return states.map((state, at) => {
    const one = typeof state === "string" ? sighting(state) : state
    const after = looked(book, [one], EpochMillis.make(at * hour))
    book = after.book
    return book.subjects[0]?.state
  })
}

describe("a state", () => {
  it("is taken at the first look where there is no trouble, and trouble only when it was seen twice in a row", () => {
    expect(over(["ok"])).toEqual(["ok"])
    expect(over(["unknown", "ok"])).toEqual(["unknown", "ok"])
    expect(over(["warn", "warn"])).toEqual(["unknown", "warn"])
    expect(over(["ok", "fail", "ok", "fail", "ok"])).toEqual(["ok", "ok", "ok", "ok", "ok"])
    expect(over(["ok", "fail", "fail"])).toEqual(["ok", "ok", "fail"])
  })

  it("gets worse only as far as all looks agree", () => {
    expect(over(["ok", "warn", "fail", "fail"])).toEqual(["ok", "ok", "warn", "warn"])
    expect(over(["ok", "warn", "fail", "fail", "fail"])).toEqual(["ok", "ok", "warn", "warn", "fail"])
  })

  it("gets better later than it got worse, and to the worse of what was seen on the way", () => {
    const fine = ["ok", "ok", "ok", "ok"] as const
    expect(over(["ok", "fail", "fail", ...fine]).slice(3)).toEqual(["fail", "fail", "fail", "ok"])
    expect(over(["ok", "fail", "fail", "ok", "warn", "ok", "ok"]).slice(3)).toEqual(["fail", "fail", "fail", "warn"])
    expect(over(["ok", "fail", "fail", "ok", "ok", "fail", "ok", "ok"]).at(-1)).toBe("fail")
  })

  it("that can't be looked at any more turns unknown after a while, but trouble stays trouble", () => {
    expect(over(["ok", "unknown", "unknown", "unknown"])).toEqual(["ok", "ok", "ok", "unknown"])
    expect(over(["ok", "warn", "warn", ...Array.from({ length: 9 }, () => "unknown" as const)]).at(-1)).toBe("warn")
  })

  it("is left as it is by a look that woke nobody", () => {
    const asleep = sighting("unknown", { asleep: true })
    expect(over(["ok", "warn", asleep, "warn"])).toEqual(["ok", "ok", "ok", "warn"])
    expect(over([asleep])).toEqual(["unknown"])
  })

  it("that is worse than all others is the worst, and unknown is worse than nothing", () => {
    expect(worstOf([])).toBe("unknown")
    expect(worstOf(["ok", "fail", "warn"])).toBe("fail")
    expect(rankOf("unknown")).toBeLessThan(rankOf("ok"))
  })
})

describe("what a host remembers of its health", () => {
  it("tells a change once, with where it came from", () => {
    const first = looked(emptyBook, [sighting("ok")], EpochMillis.make(0))
    expect(first.changes.map(({ from, subject }) => [from, subject.state])).toEqual([["unknown", "ok"]])
    const second = looked(first.book, [sighting("warn")], EpochMillis.make(hour))
    expect(second.changes).toEqual([])
    expect(inDoubt(second.book)).toBe(true)
    const third = looked(second.book, [sighting("warn")], EpochMillis.make(2 * hour))
    expect(third.changes.map(({ from, subject }) => [from, subject.state])).toEqual([["ok", "warn"]])
    expect(inDoubt(third.book)).toBe(false)
    expect(looked(third.book, [sighting("warn")], EpochMillis.make(3 * hour)).changes).toEqual([])
  })

  it("keeps one point a day and two months of them, in order though the clock is set back, and forgets what is long gone", () => {
    let book: HealthBook = emptyBook
    for (let day = 0; day < 100; day++) {
      const point = { day, used: day, total: 100 }
      book = looked(book, [sighting("ok", { point })], EpochMillis.make(day * 24 * hour)).book
      book = looked(
        book,
        [sighting("ok", { point: { ...point, used: day + 0.5 } })],
        EpochMillis.make(day * 24 * hour + hour)
      ).book
    }
    expect(book.subjects[0]?.points).toHaveLength(60)
    expect(book.subjects[0]?.points.at(-1)).toEqual({ day: 99, used: 99.5, total: 100 })
    const back = looked(
      book,
      [sighting("ok", { point: { day: 90, used: 1, total: 100 } })],
      EpochMillis.make(100 * 24 * hour)
    )
    expect(back.book.subjects[0]?.points.at(-1)).toEqual({ day: 99, used: 99.5, total: 100 })
    const gone = looked(back.book, [sighting("ok", { id: "S2" })], EpochMillis.make(200 * 24 * hour))
    expect(gone.book.subjects.map(({ id }) => id)).toEqual(["S2"])
  })

  it("is bounded, however many things come and go", () => {
    const many = Array.from({ length: 200 }, (_, at) => sighting("ok", { id: `S${at}` }))
    expect(looked(emptyBook, many, EpochMillis.make(0)).book.subjects).toHaveLength(64)
  })
})

describe("what is told of a host's health", () => {
  const told = (sightings: ReadonlyArray<Sighting>) => {
    const before = looked(emptyBook, sightings, EpochMillis.make(0)).book
    const at = EpochMillis.make(hour)
    return healthOf(looked(before, sightings, at).book, at)
  }

  it("has a dying disk and the storage on it as one line, and the worst first", () => {
    const { lines } = told([
      sighting("ok", { id: "S0", name: "/dev/sdz" }),
      sighting("fail", { storages: [usb] }),
      sighting("fail", { kind: "storage", id: usb, name: usb, reasons: ["it can't be used"] }),
      sighting("warn", { kind: "storage", id: "local", name: "local", reasons: ["it is 96 % full"] })
    ])
    expect(lines.map(({ kind, name, reasons, state }) => [kind, name, state, reasons])).toEqual([
      ["disk", "/dev/sda", "fail", ["it is fail", "storage usb-backup on it: it can't be used"]],
      ["storage", "local", "warn", ["it is 96 % full"]],
      ["disk", "/dev/sdz", "ok", []]
    ])
  })

  it("keeps a storage apart from a disk that only wants a look", () => {
    const { lines } = told([
      sighting("warn", { storages: [usb] }),
      sighting("warn", { kind: "storage", id: usb, name: usb })
    ])
    expect(lines).toHaveLength(2)
  })

  it("leaves out what was not there at the last look, and counts what does not fit", () => {
    const old = looked(emptyBook, [sighting("ok", { id: "gone" })], EpochMillis.make(0)).book
    const many = Array.from({ length: 50 }, (_, at) => sighting("ok", { id: `S${at}` }))
    const at = EpochMillis.make(hour)
    const health = healthOf(looked(old, many, at).book, at)
    expect(health.lines).toHaveLength(40)
    expect(health.omitted).toBe(10)
    expect(health.lines.map(({ id }) => id)).not.toContain("gone")
  })

  it("can harm no terminal, whatever a disk calls itself", () => {
    const { lines } = told([
      sighting("warn", { name: "/dev/\u001b[2Jsda\n", id: "S\u0007".repeat(300), reasons: ["\u001b[31m".repeat(500)] })
    ])
    expect(lines.flatMap(({ id, name, reasons }) => [id, name, ...reasons]).join("")).not.toMatch(/[\u0000-\u001f]/)
    expect(lines[0]?.id.length).toBeLessThanOrEqual(80)
    expect(lines[0]?.reasons[0]?.length).toBeLessThanOrEqual(400)
  })
})
