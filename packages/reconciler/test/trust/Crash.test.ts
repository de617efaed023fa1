import { describe, it } from "@effect/vitest"
import type { SignedBytes } from "@felhom/domain/Envelope"
import type { Ed25519 } from "@felhom/domain/port/Ed25519"
import { Effect, Encoding, Option } from "effect"
import { expect } from "vitest"
import { crashStates, type Disk, formatDisk, makeModel } from "../../../durable/test/ModelFileSystem.ts"
import { type Host, makeHost, minutes, onHost, type Running } from "../op/SignedHost.ts"
import { stuckFrom } from "../op/StuckDisk.ts"
import {
  acceptEpoch,
  attached,
  desired,
  desiredNow,
  epochs,
  listOf,
  policyNow,
  sha256,
  signersNow,
  signVersion,
  updateOf,
  versionText,
  widenTo
} from "./FleetHost.ts"

const versionOf = (agent: Running) =>
  Effect.map(
    signersNow(agent),
    ({ held }) => Option.match(held, { onNone: () => 0, onSome: ({ document }) => document.version })
  )

const desiredVersion = (agent: Running) => Effect.map(desiredNow(agent), ({ held }) => held?.version ?? 0)

/** What the hub hands over, one after the other, and how far the host has come with it. */
interface Handing {
  readonly prepare: (host: Host) => Effect.Effect<(agent: Running) => Effect.Effect<void>, never, Ed25519>
  readonly reached: (agent: Running) => Effect.Effect<number, unknown>
}

const handings: { readonly [what: string]: Handing } = {
  "two versions of the fleet's signers": {
    prepare: (host) =>
      Effect.gen(function*() {
        const [before, after] = [listOf({ anna: host.anna, ben: host.ben }), listOf({ anna: host.anna })]
        const chain = [
          yield* signVersion(versionText(1, [before, ""], after), [host.anna]),
          yield* signVersion(versionText(2, [after, ""], before), [host.anna])
        ]
        return (agent) => agent.signers(...chain)
      }),
    reached: versionOf
  },
  "two desired states": {
    prepare: () => Effect.succeed((agent) => Effect.zipRight(agent.desired(desired(1)), agent.desired(desired(2)))),
    reached: desiredVersion
  }
}

const own = (disk: Disk): Disk => new Map([...disk].filter(([name]) => name.includes("/accepted-")))

describe("a crash while the host takes what the hub hands over", () => {
  for (const [what, { prepare, reached }] of Object.entries(handings)) {
    it.effect(
      `(${what}) leaves what was taken so far, whole, and the rest is taken after it`,
      () =>
        Effect.gen(function*() {
          const host = yield* makeHost
          const hand = yield* prepare(host)
          const model = makeModel()
          const agent = yield* host.boot(new Map(), { model })
          yield* agent.opened
          const begin = model.steps()
          yield* hand(agent)
          expect(yield* reached(agent)).toBe(2)
          const steps = model.steps()
          expect(steps).toBeGreaterThan(begin)
          for (let step = begin; step < steps; step += 1) {
            const cut = makeModel()
            const stuck = yield* host.boot(new Map(), { model: cut, files: stuckFrom(cut, step) })
            yield* stuck.opened
            yield* Effect.forkDaemon(hand(stuck))
            yield* minutes(0)
            const again = yield* host.boot(cut.present())
            const left = yield* reached(again)
            yield* hand(again)
            expect(yield* reached(again)).toBe(2)
            expect(left).toBeLessThanOrEqual(2)
            yield* again.kill
          }
          // The same with the power: all that any cut may leave of the host's own files.
          const disks = new Map(
            model.moments.flatMap((moment) => [...crashStates(moment)]).map((
              disk
            ) => [formatDisk(own(disk)), own(disk)])
          )
          const found = new Set<number>()
          for (const disk of disks.values()) {
            const left = yield* host.boot(disk)
            found.add(yield* reached(left))
            yield* left.kill
          }
          expect([...found].sort()).toEqual([0, 1, 2])
        }).pipe(Effect.provide(onHost)),
      120_000
    )
  }
})

/** An op on the host itself, and whether it is done. */
interface Local {
  readonly op: (host: Host, agent: Running) => Effect.Effect<SignedBytes, unknown, Ed25519>
  readonly isDone: (agent: Running) => Effect.Effect<boolean, unknown>
}

const widened = JSON.stringify({ typ: "felhom/policy/v1", signatures: { threshold: 2 } })

const locals: { readonly [name: string]: Local } = {
  "signers.update": {
    op: (host, agent) =>
      Effect.gen(function*() {
        const list = listOf({ anna: host.anna, ben: host.ben })
        const text = versionText(3, ["another list", ""], list)
        const signed = yield* host.signed(agent, updateOf(text, 3, { version: 0, list }))
        return { ...signed, document: yield* attached(text, [host.anna]) }
      }),
    isDone: (agent) => Effect.map(versionOf(agent), (version) => version === 3)
  },
  "policy.widen": {
    op: (host, agent) =>
      Effect.map(host.signed(agent, widenTo(widened, null)), (signed) => ({
        ...signed,
        document: Encoding.encodeBase64(widened)
      })),
    isDone: (agent) => Effect.map(policyNow(agent), (reading) => reading.sha256 === sha256(widened))
  },
  "desired.accept_epoch": {
    op: (host, agent) => host.signed(agent, acceptEpoch(epochs.second, { epoch: null, version: 0 })),
    isDone: (agent) => Effect.map(desiredNow(agent), ({ held }) => held?.epoch === epochs.second)
  }
}

const ends = new Set(["op.finished", "op.failed", "op.unknown"])

describe("a crash at any step of an op on the host itself", () => {
  for (const [name, { isDone, op }] of Object.entries(locals)) {
    it.effect(`(${name}) leads to an end that is told and true`, () =>
      Effect.gen(function*() {
        const host = yield* makeHost
        const first = yield* host.boot()
        const signed = yield* op(host, first)
        yield* first.kill
        const disk = first.model.present()
        const model = makeModel(disk)
        const agent = yield* host.boot(disk, { model })
        yield* agent.opened
        const begin = model.steps()
        yield* agent.fromHub(signed)
        yield* minutes(0)
        expect(agent.kinds().at(-1)).toBe("op.finished")
        const steps = model.steps()
        const outcomes = new Set<string>()
        for (let step = begin; step < steps; step += 1) {
          const cut = makeModel(disk)
          const stuck = yield* host.boot(disk, { model: cut, files: stuckFrom(cut, step) })
          yield* stuck.opened
          yield* Effect.forkDaemon(stuck.fromHub(signed))
          yield* minutes(0)
          const again = yield* host.boot(cut.present())
          yield* again.recover
          yield* again.fromHub(signed)
          yield* minutes(0)
          const told = new Set([...stuck.kinds(), ...again.kinds()].filter((kind) => ends.has(kind)))
          expect(told.size).toBe(1)
          outcomes.add(`${[...told].join()} ${(yield* isDone(again)) ? "done" : "not done"}`)
          yield* again.kill
        }
        expect([...outcomes].sort()).toEqual(["op.failed not done", "op.finished done"])
      }).pipe(Effect.provide(onHost)), 120_000)
  }
})
