import { describe, it } from "@effect/vitest"
import { type DesiredPolicy, usualDesiredPolicy } from "@felhom/domain/DesiredPolicy"
import { StorageId } from "@felhom/domain/ProxmoxId"
import { actionClass } from "@felhom/reconciler/plan/ActionClass"
import { nothingDone } from "@felhom/reconciler/plan/Counts"
import { type GateInput, judgePlan } from "@felhom/reconciler/plan/Gate"
import { identityText } from "@felhom/reconciler/plan/Matching"
import type { ObservedGuest, ObservedStorage } from "@felhom/reconciler/plan/ObservedHost"
import { plan } from "@felhom/reconciler/plan/Planner"
import type { Plan } from "@felhom/reconciler/plan/PlanStep"
import { expect } from "vitest"
import {
  gib,
  guestOf,
  hostOf,
  imageVolid,
  isBenign,
  keyNumber,
  openPolicy,
  planOne,
  policyOf,
  stateOf,
  wishFor,
  wishNew
} from "./ModelHost.ts"

const now = Date.parse("2026-11-22T10:00:00Z")
const minute = 60_000
const hour = 60 * minute
const day = 24 * hour

const zfs: ObservedStorage = {
  storage: StorageId.make("local-zfs"),
  type: "zfspool",
  active: true,
  total: 1000 * gib,
  available: 800 * gib,
  metadata: null
}

const inputOf = (rest: Partial<GateInput> = {}): GateInput => ({
  policy: openPolicy,
  now,
  hold: null,
  expires: now + day,
  counts: nothingDone,
  storages: [zfs],
  ...rest
})

const verdicts = (made: Plan, rest: Partial<GateInput> = {}) =>
  judgePlan(made, inputOf(rest)).map(({ verdict }) =>
    "until" in verdict ? [verdict.answer, verdict.until] : [verdict.answer]
  )

const reasons = (made: Plan, rest: Partial<GateInput> = {}) =>
  judgePlan(made, inputOf(rest)).map(({ verdict }) => verdict.reason)

const cores = planOne(guestOf(), { cores: 2 })
const growth = planOne(guestOf(), { volumes: { rootfs: 108 } })
const who = (guest: ObservedGuest) => identityText(guest.ref.type, guest.identity)

describe("the gate lets a benign step through", () => {
  it("when nothing stands against it, and says what it does", () => {
    expect(judgePlan(cores, inputOf()).map(({ verdict }) => verdict)).toEqual([{
      answer: "go",
      reason: "cores: it is not as wished"
    }])
  })

  it("on the hub's word alone, and nothing that an op names", () => {
    for (const op of ["guest.destroy", "guest.stop_hard", "policy.widen", "hold.release"] as const) {
      expect(actionClass({ kind: op }, { type: "lxc" }), op).toBe("needs-signature")
    }
    expect(actionClass({ kind: "config.clear", key: "memory" }, { type: "lxc" })).toBe("needs-signature")
    expect(actionClass({ kind: "config.set", key: "protection", text: "0" }, { type: "lxc" })).toBe("needs-signature")
    expect(actionClass({ kind: "config.set", key: "swap", text: "0" }, { type: "qemu" })).toBe("never")
  })

  it("only as far as its class goes, wherever it comes from", () => {
    const [step] = cores.steps
    if (step === undefined || !isBenign(step)) throw new Error("it has one step")
    const unset = { ...step, action: { kind: "config.clear", key: "memory" } as const }
    expect(verdicts({ steps: [unset], notes: [] })).toEqual([["needs-signature"]])
    const other = { ...step, action: { kind: "config.set", key: "name", text: "x" } as const }
    expect(verdicts({ steps: [other], notes: [] })).toEqual([["never"]])
  })

  it("and answers never for what the host can't do, needs-signature for what nobody wished for", () => {
    expect(verdicts(planOne(guestOf(), { volumes: { rootfs: 1 } }))).toEqual([["never"]])
    const unnamed = plan(stateOf(), hostOf([guestOf()]), policyOf({ correction: { unnamed: "report" } }))
    expect(verdicts(unnamed)).toEqual([["needs-signature"]])
  })
})

describe("nothing is begun", () => {
  it("for a desired state that has run out", () => {
    expect(verdicts(cores, { expires: now })).toEqual([["never"]])
    expect(verdicts(cores, { expires: now + 1 })).toEqual([["go"]])
  })

  it("while the host is held, and the reason is the holder's", () => {
    const hold = { since: now - hour, reason: "moving house" }
    expect(verdicts(cores, { hold })).toEqual([["wait", null]])
    expect(reasons(cores, { hold })).toEqual(["the host is held since 2026-11-22T09:00:00.000Z: moving house"])
  })

  it("of a guest that Proxmox holds locked", () => {
    expect(verdicts(planOne(guestOf({ lock: "backup" }), { cores: 2 }))).toEqual([["wait", null]])
  })

  it("of what the policy has only reported", () => {
    const policy = policyOf({ correction: { settings: "report" } })
    expect(verdicts(cores, { policy })).toEqual([["never"]])
    expect(reasons(cores, { policy })).toEqual(["the host's policy has settings told, not put right"])
  })

  it("on a bridge that the policy does not allow, but for the one that the card is on", () => {
    const moved = planOne(guestOf(), { nets: { net0: { bridge: "vmbr9" } } })
    expect(verdicts(moved)).toEqual([["never"]])
    expect(verdicts(planOne(guestOf(), { nets: { net0: { bridge: "vmbr1" } } }))).toEqual([["go"]])
    const tagged = planOne(guestOf(), { nets: { net0: { tag: 7 } } })
    expect(verdicts(tagged, { policy: usualDesiredPolicy })).toEqual([["go"]])
  })
})

const windowed = (maintenance: ReadonlyArray<unknown>, timeZone = "UTC") => policyOf({ maintenance, timeZone })

describe("what disturbs a guest waits for a maintenance window", () => {
  const stop = planOne(guestOf(), { power: "stopped" })
  const at = (text: string) => Date.parse(text)

  it("until it opens, and goes while it is open", () => {
    const policy = windowed([{ from: "02:00", minutes: 120 }])
    expect(verdicts(stop, { policy })).toEqual([["wait", at("2026-11-23T02:00:00Z")]])
    for (
      const [text, answer] of [
        ["2026-11-23T01:59:59.999Z", "wait"],
        ["2026-11-23T02:00:00Z", "go"],
        ["2026-11-23T03:59:59.999Z", "go"],
        ["2026-11-23T04:00:00Z", "wait"]
      ] as const
    ) {
      expect(verdicts(stop, { policy, now: at(text), expires: at(text) + day })[0]?.[0], text).toBe(answer)
    }
  })

  it("over midnight, on the weekday that it begins on", () => {
    const policy = windowed([{ weekdays: [6], from: "23:00", minutes: 180 }])
    const sunday = at("2026-11-22T01:30:00Z")
    expect(verdicts(stop, { policy, now: sunday })).toEqual([["go"]])
    expect(verdicts(stop, { policy })).toEqual([["wait", at("2026-11-28T23:00:00Z")]])
  })

  it("by the clock on the wall, summer and winter", () => {
    const policy = windowed([{ from: "02:30", minutes: 60 }], "Europe/Budapest")
    const from = (text: string) => verdicts(stop, { policy, now: at(text), expires: at(text) + day })[0]
    expect(from("2026-11-22T10:00:00Z")).toEqual(["wait", at("2026-11-23T01:30:00Z")])
    expect(from("2026-07-22T10:00:00Z")).toEqual(["wait", at("2026-07-23T00:30:00Z")])
  })

  it("the soonest of several", () => {
    const policy = windowed([{ from: "22:00", minutes: 10 }, { from: "12:00", minutes: 10 }])
    expect(verdicts(stop, { policy })).toEqual([["wait", at("2026-11-22T12:00:00Z")]])
  })

  it("cards as well, and nothing that nobody notices", () => {
    const policy = { ...windowed([{ from: "02:00", minutes: 1 }]), bridges: ["vmbr1"] }
    const card = planOne(guestOf(), { nets: { net0: { bridge: "vmbr1" } } })
    expect(verdicts(card, { policy })[0]?.[0]).toBe("wait")
    for (const quiet of [cores, growth, planOne(guestOf({ status: "stopped" }), { power: "running" })]) {
      expect(verdicts(quiet, { policy: { ...policy, caps: { creations: 1, grownGib: 100 } } })).toEqual([["go"]])
    }
  })
})

describe("the blast radius", () => {
  const guests = [101, 102, 103].map((vmid) => guestOf({ vmid }))
  const [first, second, third] = guests.map(who)
  const policy: DesiredPolicy = { ...openPolicy, blastRadius: { guests: 2, minutes: 60 } }
  const all = plan(
    stateOf(...guests.map((guest) => wishFor(guest, { cores: 2, onboot: true }))),
    hostOf(guests),
    policy
  )

  it("counts guests, not steps, over the plan and over what was done before", () => {
    expect(verdicts(all, { policy })).toEqual([["go"], ["go"], ["go"], ["go"], ["wait", now + hour], [
      "wait",
      now + hour
    ]])
    const touched = new Map([[third ?? "", now - 10 * minute]])
    expect(verdicts(all, { policy, counts: { ...nothingDone, touched } }).map(([answer]) => answer)).toEqual([
      "go",
      "go",
      "wait",
      "wait",
      "go",
      "go"
    ])
  })

  it("opens again when the first of those before falls out of its window", () => {
    const touched = new Map([[first ?? "", now - 59 * minute], [second ?? "", now - 20 * minute]])
    const one = planOne(guests[2] ?? guestOf(), { cores: 2 }, policy)
    expect(verdicts(one, { policy, counts: { ...nothingDone, touched } })).toEqual([["wait", now + minute]])
    const before = new Map([[first ?? "", now - hour], [second ?? "", now - 20 * minute]])
    expect(verdicts(one, { policy, counts: { ...nothingDone, touched: before } })).toEqual([["go"]])
  })

  it("counts what lies ahead of the clock as just done, and none is none for good", () => {
    const touched = new Map([["x", now + day], ["y", now + day]])
    expect(verdicts(cores, { policy, counts: { ...nothingDone, touched } })).toEqual([["wait", now + hour]])
    expect(verdicts(cores, { policy: { ...policy, blastRadius: { guests: 0, minutes: 60 } } })).toEqual([[
      "wait",
      null
    ]])
  })
})

describe("the caps of a day", () => {
  const policy: DesiredPolicy = { ...openPolicy, caps: { creations: 1, grownGib: 150 } }

  it("hold guests that are made, and the start of what is not made", () => {
    const two = plan(
      stateOf(wishNew(keyNumber(1), { power: "running" }), wishNew(keyNumber(2), { power: "running" })),
      hostOf([]),
      policy
    )
    expect(verdicts(two, { policy })).toEqual([["go"], ["wait", now + day], ["go"], ["wait", null]])
    expect(verdicts(two, { policy, counts: { ...nothingDone, created: [now - day, now - hour] } })).toEqual([
      ["wait", now + 23 * hour],
      ["wait", now + 23 * hour],
      ["wait", null],
      ["wait", null]
    ])
  })

  it("hold growth by its bytes, over the plan and the day", () => {
    expect(verdicts(growth, { policy })).toEqual([["go"]])
    const grown = [{ at: now - hour, bytes: 40 * gib }, { at: now - 2 * hour, bytes: 60 * gib }]
    expect(verdicts(growth, { policy, counts: { ...nothingDone, grown } })).toEqual([["wait", now + 22 * hour]])
    expect(verdicts(growth, { policy: { ...policy, caps: { creations: 1, grownGib: 99 } } })).toEqual([["wait", null]])
    const before = [{ at: now + day, bytes: 100 * gib }]
    expect(verdicts(growth, { policy, counts: { ...nothingDone, grown: before } })).toEqual([["wait", now + day]])
    const twice = [101, 102].map((vmid) => guestOf({ vmid }))
    const both = plan(
      stateOf(...twice.map((guest) => wishFor(guest, { volumes: { rootfs: 108 } }))),
      hostOf(twice),
      policy
    )
    expect(verdicts(both, { policy })).toEqual([["go"], ["wait", now + day]])
  })
})

describe("the floors of free space", () => {
  const making = plan(stateOf(wishNew(keyNumber(1))), hostOf([]), openPolicy)
  const full = (rest: Partial<ObservedStorage>) => verdicts(growth, { storages: [{ ...zfs, ...rest }] })

  it("hold what would take a storage below them, and say how much there is", () => {
    expect(full({ available: 200 * gib })).toEqual([["go"]])
    expect(full({ available: 200 * gib - 1 })).toEqual([["wait", null]])
    expect(reasons(growth, { storages: [{ ...zfs, available: 150 * gib }] })).toEqual([
      "local-zfs would have less than 10 % free: 150.0 GiB of 1000.0 GiB are, and it takes 100.0 GiB; make room there"
    ])
  })

  it("hold it where nobody knows: a storage that is away, not there, or does not say", () => {
    expect(full({ active: false })).toEqual([["wait", null]])
    expect(full({ available: null })).toEqual([["wait", null]])
    expect(full({ total: null })).toEqual([["wait", null]])
    expect(verdicts(growth, { storages: [] })).toEqual([["wait", null]])
    const unsized = plan(
      stateOf(wishNew(keyNumber(1))),
      hostOf([], { images: [{ volid: imageVolid, size: null }] }),
      openPolicy
    )
    expect(verdicts(unsized)).toEqual([["wait", null]])
  })

  it("hold a thin pool at 97 %, and one whose metadata is full or not known", () => {
    const metadata = (used: number) => ({ total: 100, used })
    expect(full({ type: "lvmthin", available: 30 * gib, metadata: metadata(10) })).toEqual([["wait", null]])
    expect(full({ type: "lvmthin", metadata: metadata(80) })).toEqual([["go"]])
    expect(full({ type: "lvmthin", metadata: metadata(81) })).toEqual([["wait", null]])
    expect(full({ type: "lvmthin", metadata: null })).toEqual([["wait", null]])
    expect(full({ type: "lvmthin", metadata: { total: 0, used: 0 } })).toEqual([["wait", null]])
  })

  it("count what the steps before have been promised", () => {
    const twice = [101, 102].map((vmid) => guestOf({ vmid }))
    const both = plan(
      stateOf(...twice.map((guest) => wishFor(guest, { volumes: { rootfs: 108 } }))),
      hostOf(twice),
      openPolicy
    )
    expect(verdicts(both, { storages: [{ ...zfs, available: 299 * gib }] })).toEqual([["go"], ["wait", null]])
    expect(verdicts(both, { storages: [{ ...zfs, available: 300 * gib }] })).toEqual([["go"], ["go"]])
  })

  it("are the policy's own for a storage that it names", () => {
    const floors = { usual: { free: 10, metadataFree: 20 }, storages: { "local-zfs": { free: 50, metadataFree: 0 } } }
    const policy = { ...openPolicy, floors }
    expect(verdicts(growth, { policy, storages: [{ ...zfs, available: 500 * gib }] })).toEqual([["wait", null]])
    expect(verdicts(growth, { policy, storages: [{ ...zfs, available: 600 * gib }] })).toEqual([["go"]])
  })

  it("are asked after whether the policy allows a new guest there at all", () => {
    expect(verdicts(making)).toEqual([["go"]])
    expect(verdicts(making, { policy: { ...openPolicy, storages: [] } })).toEqual([["never"]])
    expect(verdicts(making, { policy: { ...openPolicy, images: {} } })).toEqual([["never"]])
    const cards = plan(stateOf(wishNew(keyNumber(1), { nets: { net0: { bridge: "vmbr9" } } })), hostOf([]), openPolicy)
    expect(verdicts(cards)).toEqual([["never"]])
  })
})
