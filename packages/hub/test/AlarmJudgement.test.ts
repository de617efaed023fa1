import { describe, it } from "@effect/vitest"
import { HostId } from "@felhom/domain/HostId"
import type { KeptAlarm, Recent } from "@felhom/hub/AlarmBook"
import { judgeAlarms, type Symptom, type Verdict } from "@felhom/hub/AlarmJudgement"
import { titleOf } from "@felhom/hub/AlarmTitle"
import { expect } from "vitest"

const minute = 60_000
const hour = 60 * minute

const hostId = (index: number): HostId => HostId.make(index.toString(16).padStart(32, "0"))

const silent = (index: number): Symptom => ({
  host: hostId(index),
  node: `host-${index}`,
  cause: "silent",
  severity: "critical",
  sentence: `silent for ${index} min`
})

const full = (index: number, severity: Symptom["severity"] = "warning"): Symptom => ({
  ...silent(index),
  cause: "storage.full nas",
  severity,
  sentence: "storage nas is 97 % full"
})

/** The hub's watch over time, without a store: each look goes on from the one before. */
const watch = () => {
  let open: ReadonlyArray<KeptAlarm> = []
  const recent: Array<Recent> = []
  let nextId = 1
  const look = (now: number, symptoms: ReadonlyArray<Symptom>, unheard: ReadonlyArray<number> = []) => {
    const verdicts = judgeAlarms({
      now,
      open,
      symptoms,
      unheard: new Set(unheard.map(hostId)),
      recent,
      nextId,
      gatherMillis: minute
    })
    open = verdicts.map(({ alarm }) => alarm).filter(({ recoveredAt }) => recoveredAt === null)
    nextId = Math.max(nextId, ...verdicts.map(({ alarm }) => alarm.id + 1))
    for (const { alarm } of verdicts) {
      if (alarm.recoveredAt !== null) {
        recent.push(...alarm.members.map(({ host, returns }) => ({ cause: alarm.cause, host, returns })))
      }
    }
    return verdicts
  }
  const told = (verdicts: ReadonlyArray<Verdict>) =>
    verdicts.flatMap(({ tell }) => (tell === null ? [] : [[tell.kind, tell.fresh.size] as const]))
  return {
    look,
    /** Looks every 15 seconds from `from` to `to`, and gives what was told. */
    over: (from: number, to: number, symptoms: (now: number) => ReadonlyArray<Symptom>) => {
      const all: Array<readonly [string, number]> = []
      for (let now = from; now <= to; now += 15_000) all.push(...told(look(now, symptoms(now))))
      return all
    },
    told,
    acknowledge: (until: number | null) => {
      open = open.map((alarm) => ({
        ...alarm,
        acknowledgement: { by: "me", at: 0, until, note: "" },
        members: alarm.members.map((member) => ({ ...member, acknowledged: true, toldAt: member.toldAt ?? 0 }))
      }))
    },
    open: () => open
  }
}

describe("a cause", () => {
  it("that ten hosts fall under within a short while is told once, with all of them", () => {
    const { over } = watch()
    const told = over(
      0,
      5 * minute,
      (now) => Array.from({ length: Math.min(10, 1 + now / 5_000) }, (_, n) => silent(n))
    )
    expect(told).toEqual([["raised", 10]])
  })

  it("that is gone again before anybody was told is never told", () => {
    const { over } = watch()
    expect(over(0, 20 * minute, (now) => (now < 30_000 ? [silent(1)] : []))).toEqual([])
  })

  it("is over once it held for five minutes, and that is told once", () => {
    const { over } = watch()
    expect(over(0, hour, (now) => (now < 10 * minute ? [silent(1)] : []))).toEqual([["raised", 1], ["recovered", 0]])
  })

  it("that flaps within minutes is told once", () => {
    const { over } = watch()
    const flapping = (now: number) => (Math.floor(now / (2 * minute)) % 2 === 0 ? [silent(1)] : [])
    expect(over(0, 2 * hour, flapping)).toEqual([["raised", 1]])
  })

  it("that flaps more slowly is told a few times, and then has to stay well for longer", () => {
    const { over } = watch()
    const flapping = (now: number) => (Math.floor(now / (7 * minute)) % 2 === 0 ? [silent(1)] : [])
    expect(over(0, 24 * hour, flapping)).toEqual([["raised", 1], ["recovered", 0], ["raised", 1]])
  })

  it("that more hosts come under is told again, with those first, five minutes later at the earliest", () => {
    const { over } = watch()
    const symptoms = (now: number) => (now < 2 * minute ? [silent(1)] : [silent(1), silent(2)])
    expect(over(0, 5.75 * minute, symptoms)).toEqual([["raised", 1]])
    expect(over(6 * minute, 10 * minute, symptoms)).toEqual([["worse", 1]])
  })

  it("that gets more severe is told again at once", () => {
    const { over } = watch()
    const told = over(0, 10 * minute, (now) => [full(1, now < 3 * minute ? "warning" : "critical")])
    expect(told).toEqual([["raised", 1], ["worse", 0]])
  })

  it("goes on for a host that fell silent: nobody knows better", () => {
    const { look, open, over } = watch()
    over(0, 2 * minute, () => [full(1)])
    look(3 * minute, [silent(1)], [1])
    look(hour, [silent(1)], [1])
    expect(open().map(({ cause }) => cause).toSorted()).toEqual(["silent", "storage.full nas"])
  })

  it("of several symptoms on one host is one", () => {
    const { look } = watch()
    const verdicts = look(0, [full(1), { ...full(1), sentence: "another" }])
    expect(verdicts).toHaveLength(1)
    expect(verdicts[0]?.alarm.members).toHaveLength(1)
  })
})

describe("an acknowledged alarm", () => {
  it("is not told again, but when it is over", () => {
    const { acknowledge, over } = watch()
    over(0, 2 * minute, () => [silent(1)])
    acknowledge(null)
    expect(over(3 * minute, 10 * hour, () => [silent(1)])).toEqual([])
    expect(over(10 * hour, 11 * hour, () => [])).toEqual([["recovered", 0]])
  })

  it("is told again when a host joins it; those that were acknowledged stay so", () => {
    const { acknowledge, open, over } = watch()
    over(0, 2 * minute, () => [silent(1)])
    acknowledge(null)
    expect(over(10 * minute, 20 * minute, () => [silent(1), silent(2)])).toEqual([["worse", 1]])
    expect(open()[0]?.members.map(({ acknowledged }) => acknowledged)).toEqual([true, false])
  })

  it("is told again when it gets more severe, and nobody's word counts any more", () => {
    const { acknowledge, open, over } = watch()
    over(0, 2 * minute, () => [full(1)])
    acknowledge(null)
    expect(over(3 * minute, 4 * minute, () => [full(1, "critical")])).toEqual([["worse", 0]])
    expect(open()[0]?.acknowledgement).toBeNull()
  })

  it("is told again when the acknowledgement ends and it lasts", () => {
    const { acknowledge, over } = watch()
    over(0, 2 * minute, () => [silent(1)])
    acknowledge(4 * hour)
    expect(over(3 * minute, 5 * hour, () => [silent(1)])).toEqual([["reminder", 0]])
  })

  it("that nobody was told of yet stays untold", () => {
    const { acknowledge, look, over } = watch()
    look(0, [silent(1)])
    acknowledge(null)
    expect(over(15_000, hour, () => [silent(1)])).toEqual([])
  })
})

describe("a title", () => {
  const host = (node: string, since = 0) => ({ node, sentence: "storage nas is offline", since, clearedAt: null })

  it.each([
    ["silent", [host("attic")], 3, "attic stopped reporting"],
    [
      "silent",
      [host("attic"), host("barn")],
      2,
      "no host reports any more (2 of 2): the hub's own network is the likely cause"
    ],
    [
      "silent",
      [host("attic"), host("barn")],
      9,
      "2 of 9 hosts stopped reporting: they may share a cause, such as power or a site's network"
    ],
    ["silent", [host("attic"), host("barn", hour)], 9, "2 of 9 hosts are silent"],
    ["storage.offline nas", [host("attic")], 9, "attic: storage nas is offline"],
    ["storage.offline nas", [host("attic"), host("barn")], 9, "2 hosts have storage nas offline"],
    ["storage.offline \u001b[2J", [host("a"), host("b")], 9, "2 hosts have storage \\u001b[2J offline"]
  ])("of %s names the cause", (cause, hosts, fleet, title) => {
    expect(titleOf(cause, hosts, fleet)).toBe(title)
  })
})
