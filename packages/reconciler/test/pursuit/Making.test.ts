import { describe, it } from "@effect/vitest"
import { OpJournal } from "@felhom/durable/OpJournal"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import { Effect } from "effect"
import { expect } from "vitest"
import { makeModel } from "../../../durable/test/ModelFileSystem.ts"
import { golden, goldenConfig, template, worldWith } from "../make/MakeHost.ts"
import { type Host, layerWith, makeHost, minutes } from "../op/SignedHost.ts"
import { stuckFrom } from "../op/StuckDisk.ts"
import { keyNumber } from "../plan/ModelHost.ts"
import { passing, policy, state, toldBy, turn } from "./PursuedHost.ts"

const onGolden = layerWith({ world: worldWith(goldenConfig) })

const key = keyNumber(1)

const wishNew = (image: string, wish: object = {}) => ({
  guest: { type: "lxc", identity: { hwaddrs: [], volumes: [], smbiosUuid: null, key } },
  make: { image, storage: "ctstore" },
  name: "web",
  power: "running",
  nets: { net0: { bridge: "vmbr0" } },
  ...wish
})

const allowing = (host: Host, more: object = {}) =>
  policy(host, { bridges: ["vmbr0"], storages: ["ctstore"], images: { golden, tiny: template }, ...more })

const named = (host: Host) =>
  passing(
    Effect.provide(
      Effect.flatMap(
        ProxmoxClient,
        (client) => Effect.map(client.guests("lxc"), ({ rows }) => rows.filter(({ name }) => name === "web"))
      ),
      host.proxmox
    )
  )

const isCreation = (call: string): boolean => call === "POST /nodes/demo-felhom/lxc"

describe("a guest that is wished for and not there", () => {
  for (const image of ["golden", "tiny"]) {
    it.effect(
      `is made from ${image} once, runs, and is kept as it is wished from then on`,
      () =>
        Effect.gen(function*() {
          const host = yield* makeHost
          yield* allowing(host)
          const agent = yield* host.boot()
          yield* agent.desired(state(1, wishNew(image)))
          yield* turn(agent)
          expect(yield* named(host)).toMatchObject([{ status: "running" }])
          yield* Effect.repeatN(turn(agent), 2)
          expect((yield* agent.desiredStatus)?.drift).toEqual([])
          expect(toldBy(agent)).toEqual([
            expect.stringMatching(/^desired\.started begun: new CT \(web\): make/),
            expect.stringMatching(/^desired\.done done: CT \d+ \(web\): make/)
          ])
          yield* agent.desired(state(2, wishNew(image, { cores: 1, description: "the web" })))
          yield* Effect.repeatN(turn(agent), 1)
          expect(toldBy(agent).join()).toContain("change description")
          expect((yield* host.writes).filter(isCreation)).toHaveLength(1)
        }).pipe(Effect.provide(onGolden)),
      60_000
    )
  }

  it.effect("is not made beyond what root's policy allows a day", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      yield* allowing(host, { caps: { creations: 0, grownGib: 100 } })
      const agent = yield* host.boot()
      yield* agent.desired(state(1, wishNew("golden")))
      yield* turn(agent)
      expect(yield* host.writes).toEqual([])
      expect(toldBy(agent)).toEqual([expect.stringContaining("the policy allows 0")])
    }).pipe(Effect.provide(onGolden)))

  it.effect("is not made from an image that is not there, and that is told", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      yield* allowing(host, { images: { gone: "local:backup/vzdump-lxc-900-2020_01_01-00_00_00.tar.zst" } })
      const agent = yield* host.boot()
      yield* agent.desired(state(1, wishNew("gone")))
      yield* Effect.repeatN(turn(agent), 2)
      expect(yield* host.writes).toEqual([])
      expect(toldBy(agent)).toEqual([expect.stringContaining("the image gone is not on this host")])
    }).pipe(Effect.provide(onGolden)))
})

describe("a crash while a guest is made", () => {
  it.effect("leads to one guest that runs, wherever it happens", () =>
    Effect.gen(function*() {
      const prepared = Effect.gen(function*() {
        const host = yield* makeHost
        yield* allowing(host)
        const first = yield* host.boot()
        yield* first.opened
        yield* first.desired(state(1, wishNew("golden")))
        yield* first.kill
        return { host, disk: first.model.present() }
      })
      const whole = yield* Effect.gen(function*() {
        const { disk, host } = yield* prepared
        const model = makeModel(disk)
        const agent = yield* host.boot(disk, { model })
        yield* turn(agent)
        return model.steps()
      }).pipe(Effect.provide(onGolden))
      expect(whole).toBeGreaterThan(8)
      for (let step = 0; step < whole; step += 1) {
        yield* Effect.gen(function*() {
          const { disk, host } = yield* prepared
          const model = makeModel(disk)
          const agent = yield* host.boot(disk, { model, files: stuckFrom(model, step) })
          yield* Effect.forkDaemon(agent.cycle)
          yield* minutes(2)
          const again = yield* host.boot(model.present())
          yield* again.recover
          yield* minutes(2)
          yield* Effect.repeatN(turn(again), 2)
          const guests = yield* named(host)
          const shown = `stuck at ${step}: ${toldBy(again).join("; ")}`
          expect(guests.map(({ status }) => status), shown).toEqual(["running"])
          const { guests: made, open } = yield* again.run(
            Effect.flatMap(OpJournal, ({ desired }) => Effect.all({ guests: desired.guests, open: desired.open }))
          )
          expect(open, shown).toEqual([])
          expect(made, shown).toMatchObject([{ key, stage: "proven" }])
          yield* again.kill
        }).pipe(Effect.provide(onGolden))
      }
    }), 600_000)
})
