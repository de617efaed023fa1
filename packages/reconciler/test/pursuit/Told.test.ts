import { describe, it } from "@effect/vitest"
import { HostEpoch, HostId } from "@felhom/domain/HostId"
import { StateFile } from "@felhom/durable/StateFile"
import * as PursuitNews from "@felhom/reconciler/pursuit/PursuitNews"
import { Effect, Layer } from "effect"
import { expect } from "vitest"
import { makeModel } from "../../../durable/test/ModelFileSystem.ts"
import { makeHost, onHost } from "../op/SignedHost.ts"
import { state, tiny, toldBy, turn, wishFor } from "./PursuedHost.ts"

const waitsFor = "desired.waiting waits: CT 9999 (tiny): change cores: 1 -> 2: "

describe("whatever keeps the agent from what is wished is one line that an operator can find:", () => {
  it.effect("the last one told is the one that holds, also when it is an earlier one again", () =>
    Effect.gen(function*() {
      const told: Array<string> = []
      const state = Layer.mock(StateFile, {
        host: { id: HostId.make("1".repeat(32)), epoch: HostEpoch.make("2".repeat(32)) },
        record: (events) => Effect.sync(() => void told.push(...events.map(({ message }) => message)))
      })
      const because = (why: string): PursuitNews.Standing => ({
        subject: null,
        words: "new CT (web): make",
        key: why,
        step: "make",
        kind: "desired.waiting",
        why
      })
      const news = yield* Effect.provide(PursuitNews.make, state)
      const [image, quorum] = [because("its image is no good"), because("there is no quorum")]
      yield* news.standing([])
      yield* Effect.repeatN(news.heldUp(image, "make"), 2)
      yield* Effect.repeatN(news.standing([quorum]), 2)
      yield* news.standing([])
      yield* Effect.repeatN(news.heldUp(image, "make"), 2)
      // What the gate says of it now stands in the place of what the host found then; who wants it no more is told nothing.
      expect(yield* news.hindrances(new Set(["make"]))).toEqual([image])
      yield* news.standing([quorum])
      expect(yield* news.hindrances(new Set(["make"]))).toEqual([])
      yield* news.heldUp(image, "make")
      expect(yield* news.hindrances(new Set())).toEqual([])
      expect(yield* news.hindrances(new Set(["make"]))).toEqual([])
      const line = ({ why, words }: PursuitNews.Standing) => `waits: ${words}: ${why}`
      expect(told).toEqual([line(image), line(quorum), line(image), line(quorum), line(image)])
    }))

  it.effect("a guest that is otherwise each time at the last moment, from the second time on", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      let edits = 0
      const agent = yield* host.boot(undefined, {
        proxmox: host.proxmoxThrough((request) =>
          Effect.suspend(() => {
            if (!request.path.includes(`/lxc/${tiny.vmid}/config`)) return host.sim.handle(request)
            edits += 1
            const edit = { _tag: "guest.set", vmid: tiny.vmid, key: "cores", value: String(3 + edits % 2) } as const
            return Effect.zipRight(Effect.orDie(host.sim.change(edit)), host.sim.handle(request))
          })
        )
      })
      yield* agent.desired(state(1, yield* wishFor(host, tiny, { cores: 2 })))
      yield* turn(agent)
      expect(toldBy(agent)).toEqual([])
      yield* Effect.repeatN(turn(agent), 5)
      expect(yield* host.writes).toEqual([])
      expect((yield* agent.desiredStatus)?.blocked).toEqual([{
        subject: "lxc/9999",
        reason: expect.stringContaining("it is planned anew: somebody has changed cores of CT 9999")
      }])
      expect(toldBy(agent)).toEqual([
        expect.stringMatching(
          /^desired\.waiting waits: CT 9999 \(tiny\): change cores: \d -> 2: it is planned anew: somebody has changed cores of CT 9999$/
        )
      ])
    }).pipe(Effect.provide(onHost)))

  it.effect("a fault of the agent's own in the middle of a step, which ends in the journal all the same", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      let faults = 1
      const agent = yield* host.boot(undefined, {
        proxmox: host.proxmoxThrough((request) =>
          request.method === "PUT" && faults-- > 0
            ? Effect.dieMessage("as the test wants it")
            : host.sim.handle(request)
        )
      })
      yield* agent.desired(state(1, yield* wishFor(host, tiny, { cores: 2 })))
      yield* turn(agent)
      expect(toldBy(agent)).toEqual([
        expect.stringMatching(
          /^desired\.unknown unknown: CT 9999 \(tiny\): change cores: 1 -> 2: the agent itself failed at it, .* planned anew/
        )
      ])
      yield* Effect.repeatN(turn(agent), 3)
      expect((yield* agent.desiredStatus)?.drift).toEqual([])
      expect(toldBy(agent).at(-1)).toContain("desired.done")
    }).pipe(Effect.provide(onHost)))

  it.effect("a fault of the agent's own before a step is begun", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      let looks = 0
      const agent = yield* host.boot(undefined, {
        proxmox: host.proxmoxThrough((request) => {
          const isLook = request.method === "GET" && request.path.includes(`/lxc/${tiny.vmid}/status/current`)
          if (isLook) looks += 1
          return isLook && looks < 3 ? Effect.dieMessage("as the test wants it") : host.sim.handle(request)
        })
      })
      yield* agent.desired(state(1, yield* wishFor(host, tiny, { cores: 2 })))
      yield* Effect.repeatN(turn(agent), 1)
      expect(yield* host.writes).toEqual([])
      expect(toldBy(agent)).toEqual([expect.stringContaining(`${waitsFor}the agent itself failed at it`)])
      expect((yield* agent.desiredStatus)?.blocked).toEqual([{
        subject: "lxc/9999",
        reason: expect.stringContaining("change cores: 1 -> 2: the agent itself failed at it")
      }])
      yield* Effect.repeatN(turn(agent), 2)
      expect(yield* agent.desiredStatus).toMatchObject({ drift: [], blocked: [] })
    }).pipe(Effect.provide(onHost)))

  it.effect("records of its own that can't be read", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const first = yield* host.boot()
      yield* first.opened
      yield* first.desired(state(1, yield* wishFor(host, tiny, { cores: 2 })))
      yield* first.kill
      const path = "/state/accepted-desired.json"
      const disk = new Map([...first.model.present(), [path, new TextEncoder().encode("{")] as const])
      const agent = yield* host.boot(disk, { model: makeModel(disk) })
      yield* Effect.repeatN(turn(agent), 3)
      expect(yield* host.writes).toEqual([])
      expect(toldBy(agent)).toEqual([
        expect.stringMatching(
          /^desired\.blocked not done: the desired state: nothing is begun for it, as something can't be read: .*accepted-desired\.json/
        )
      ])
    }).pipe(Effect.provide(onHost)))
})
