import { describe, it } from "@effect/vitest"
import { AuditChain } from "@felhom/durable/AuditChain"
import { Hold } from "@felhom/durable/Hold"
import type { DesiredRefused } from "@felhom/reconciler/desired/DesiredRefused"
import { Effect, Encoding, TestClock } from "effect"
import { expect } from "vitest"
import { makeHost, minutes, onHost, type Running, start } from "../op/SignedHost.ts"
import { acceptEpoch, desired, desiredNow, desiredText, epochs, sha256, states } from "../trust/FleetHost.ts"

const audited = (agent: Running) =>
  agent.run(Effect.flatMap(AuditChain, (chain) => Effect.map(chain.head, ({ length }) => length)))

describe("a desired state", () => {
  it.effect("is taken, kept over a restart, and reported for what it is: nothing was compared with it", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      expect(yield* desiredNow(agent)).toEqual({ held: null, status: null })
      yield* agent.desired(desired(7))
      yield* agent.desired(desired(7))
      expect(yield* audited(agent)).toBe(1)
      yield* agent.kill
      const again = yield* host.boot(agent.model.present())
      const { held, status } = yield* desiredNow(again)
      expect(held).toEqual({ epoch: epochs.first, version: 7, sha256: sha256(desiredText(7)) })
      expect(status).toMatchObject({ epoch: epochs.first, version: 7, stale: false, compared: false, drift: [] })
      expect(status?.blocked).toEqual([])
      yield* again.desired(desired(8))
      expect((yield* desiredNow(again)).held?.version).toBe(8)
      expect(agent.events).toEqual([])
      expect(yield* host.writes).toEqual([])
    }).pipe(Effect.provide(onHost)))

  it.effect("has run out once its time is over, and stays what it was", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      yield* agent.desired(desired(1))
      yield* TestClock.setTime(start + 86_400_000)
      expect((yield* desiredNow(agent)).status).toMatchObject({ version: 1, stale: true })
      yield* agent.desired(desired(1))
      expect(agent.events).toEqual([])
    }).pipe(Effect.provide(onHost)))

  it.effect("is taken while the host is held, as taking it does nothing", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      yield* agent.run(Effect.flatMap(Hold, (hold) => hold.set("root", "moving house")))
      yield* agent.desired(desired(1))
      expect((yield* desiredNow(agent)).held?.version).toBe(1)
    }).pipe(Effect.provide(onHost)))

  it.effect("may wish for nothing where it says so, or where there was no wish before", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      yield* agent.desired(desired(1, { state: states.none }))
      yield* agent.desired(desired(2))
      yield* agent.desired(desired(3, { state: states.none, allowEmpty: true }))
      expect((yield* desiredNow(agent)).held?.version).toBe(3)
      expect(agent.events).toEqual([])
    }).pipe(Effect.provide(onHost)))
})

const day = 86_400_000

/** How each refusal comes about, on a host that has version 7 of the hub's first epoch. One that is missing here does not compile. */
const attempts: { readonly [reason in Exclude<DesiredRefused["reason"], "store" | "rate">]: string } = {
  "too-long": desired(8, { state: { guests: [], more: "x".repeat(1024 * 1024) } }),
  encoding: "no base64!",
  json: Encoding.encodeBase64(desiredText(8).replace("\"version\"", "\"version\":8,\"version\"")),
  schema: desired(8, { state: { guests: [{ ...states.one.guests[0], destroy: true }] } }),
  "other-host": desired(8, { host: "c".repeat(32) }),
  "other-host-epoch": desired(8, { hostEpoch: "c".repeat(32) }),
  "other-epoch": desired(8, { epoch: epochs.second }),
  "version-behind": desired(6),
  "same-version": desired(7, { allowEmpty: false }),
  "version-jump": desired(1_000_008),
  expired: desired(8, { issued: start - day, expires: start }),
  "issued-ahead": desired(8, { issued: start + 180_000 }),
  empty: desired(8, { state: states.none })
}

describe("a desired state is refused, told once, and the one before stands", () => {
  for (const [reason, document] of Object.entries(attempts)) {
    it.effect(`with ${reason}`, () =>
      Effect.gen(function*() {
        const host = yield* makeHost
        const agent = yield* host.boot()
        yield* agent.desired(desired(7))
        const before = agent.model.present()
        yield* agent.desired(document)
        yield* agent.desired(document)
        expect(agent.kinds()).toEqual(["desired.refused"])
        expect(agent.messages()[0]).toContain(`refused (${reason})`)
        expect((yield* desiredNow(agent)).held?.version).toBe(7)
        expect(agent.model.present()).toEqual(before)
      }).pipe(Effect.provide(onHost)))
  }

  it.effect("with store, while it can't be written, and taken once it can", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      yield* agent.desired(desired(7))
      agent.model.fault = { step: agent.model.steps() + 2, code: "ENOSPC", half: true }
      yield* agent.desired(desired(8))
      expect(agent.messages()).toHaveLength(1)
      expect(agent.messages()[0]).toContain("refused (store)")
      expect((yield* desiredNow(agent)).held?.version).toBe(7)
      yield* agent.desired(desired(8))
      expect((yield* desiredNow(agent)).held?.version).toBe(8)
      // Twice in the audit chain for the two that were taken, whatever failed in between.
      expect(yield* audited(agent)).toBe(2)
    }).pipe(Effect.provide(onHost)))

  it.effect("for a while, when there is another one all the time, which is told once an hour", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      for (let version = 1; version <= 50; version += 1) yield* agent.desired(desired(version))
      expect((yield* desiredNow(agent)).held?.version).toBe(10)
      const flood =
        /^desired\.refused .*refused \(rate\): too many came in a short time; it is looked at again in a minute$/
      expect(agent.messages()).toEqual([expect.stringMatching(flood)])
      yield* minutes(1)
      yield* agent.desired(desired(50))
      expect((yield* desiredNow(agent)).held?.version).toBe(50)
      for (let hour = 1; hour <= 2; hour += 1) {
        yield* TestClock.adjust("1 hour")
        for (let more = 1; more <= 50; more += 1) yield* agent.desired(desired(hour * 100 + more))
        expect(agent.messages()).toHaveLength(1 + hour)
      }
    }).pipe(Effect.provide(onHost)))

  it.effect("with every way to say destroy, as there is none", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      const [one] = states.one.guests
      const wishes = [
        { ...one, power: "absent" },
        { ...one, power: "killed" },
        { ...one, protection: false },
        { ...one, delete: "mp0" },
        { ...one, guest: { ...one?.guest, vmid: 101 } },
        { ...one, cores: 0 },
        { ...one, memory: 1.5 },
        { ...one, tags: ["Upper"] }
      ]
      for (const [index, wish] of wishes.entries()) {
        yield* agent.desired(desired(index + 1, { state: { guests: [wish] } }))
      }
      yield* agent.desired(desired(20, { state: { guests: [one, one] } }))
      yield* agent.desired(desired(21, { state: { guests: [], storages: [] } }))
      expect(agent.messages().filter((message) => /\((?:schema|json)\)/.test(message))).toHaveLength(10)
      expect((yield* desiredNow(agent)).held).toBeNull()
    }).pipe(Effect.provide(onHost)))
})

describe("a new store of the hub", () => {
  it.effect("is taken from on an operator's signature, with versions that begin anew and no way back", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      yield* agent.desired(desired(7))
      const shown = { epoch: epochs.first, version: 7 }
      yield* agent.fromHub(yield* host.signed(agent, acceptEpoch(epochs.second, { ...shown, version: 6 })))
      yield* minutes(1)
      expect(agent.messages().at(-1)).toContain("not what the operator was shown: the host goes by version 7")
      yield* agent.fromHub(yield* host.signed(agent, acceptEpoch(epochs.first, shown)))
      yield* minutes(1)
      expect(agent.messages().at(-1)).toContain("already")
      yield* agent.fromHub(yield* host.signed(agent, acceptEpoch(epochs.second, shown)))
      yield* minutes(1)
      expect(agent.kinds().at(-1)).toBe("op.finished")
      expect((yield* desiredNow(agent)).status).toMatchObject({ epoch: epochs.second, version: 0, stale: true })
      // That the hub's store is new is no reason to forget every wish.
      yield* agent.desired(desired(1, { epoch: epochs.second, state: states.none }))
      expect(agent.messages().at(-1)).toContain("(empty)")
      yield* agent.desired(desired(8))
      expect(agent.messages().at(-1)).toContain("(other-epoch)")
      yield* agent.kill
      const again = yield* host.boot(agent.model.present())
      yield* again.desired(desired(1, { epoch: epochs.second }))
      expect((yield* desiredNow(again)).held).toMatchObject({ epoch: epochs.second, version: 1 })
    }).pipe(Effect.provide(onHost)))

  it.effect("can be named before the first desired state came", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      yield* agent.fromHub(yield* host.signed(agent, acceptEpoch(epochs.second, { epoch: null, version: 0 })))
      yield* minutes(1)
      yield* agent.desired(desired(1))
      expect(agent.messages().at(-1)).toContain("(other-epoch)")
    }).pipe(Effect.provide(onHost)))
})
