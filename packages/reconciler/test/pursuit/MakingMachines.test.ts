import { describe, it } from "@effect/vitest"
import { OpJournal } from "@felhom/durable/OpJournal"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import { Effect } from "effect"
import { expect } from "vitest"
import { makeModel } from "../../../durable/test/ModelFileSystem.ts"
import { golden, goldenConfig, machine, machineConfig, worldWith } from "../make/MakeHost.ts"
import { type Host, layerWith, makeHost, minutes } from "../op/SignedHost.ts"
import { stuckFrom } from "../op/StuckDisk.ts"
import { keyNumber } from "../plan/ModelHost.ts"
import { passing, policy, state, toldBy, turn } from "./PursuedHost.ts"

const onGolden = layerWith({ world: worldWith(goldenConfig) })

const key = keyNumber(1)

const wishNew = (image: string, wish: object = {}) => ({
  guest: { type: "qemu", identity: { hwaddrs: [], volumes: [], smbiosUuid: null, key } },
  make: { image, storage: "ctstore" },
  name: "shop",
  power: "running",
  nets: { net0: { bridge: "vmbr0" } },
  ...wish
})

const allowing = (host: Host, more: object = {}) =>
  policy(host, { bridges: ["vmbr0"], storages: ["ctstore"], images: { machine, golden }, ...more })

const named = (host: Host) =>
  passing(
    Effect.provide(
      Effect.flatMap(
        ProxmoxClient,
        (client) => Effect.map(client.guests("qemu"), ({ rows }) => rows.filter(({ name }) => name === "shop"))
      ),
      host.proxmox
    )
  )

const isCreation = (call: string): boolean => call === "POST /nodes/demo-felhom/qemu"

describe("a virtual machine that is wished for and not there", () => {
  it.effect(
    "is made from its archive once, runs, and is kept as it is wished from then on, disks included",
    () =>
      Effect.gen(function*() {
        const host = yield* makeHost
        yield* allowing(host)
        const agent = yield* host.boot()
        yield* agent.desired(state(1, wishNew("machine", { volumes: { scsi0: 2 } })))
        yield* Effect.repeatN(turn(agent), 3)
        expect(yield* named(host)).toMatchObject([{ status: "running" }])
        expect((yield* agent.desiredStatus)?.drift).toEqual([])
        expect(toldBy(agent)).toEqual([
          expect.stringMatching(/^desired\.started begun: new VM \(shop\): make/),
          expect.stringMatching(/^desired\.done done: VM \d+ \(shop\): make/),
          expect.stringMatching(/^desired\.started begun: VM \d+ \(shop\): grow scsi0: 1G -> 2 GiB/),
          expect.stringMatching(/^desired\.done done: VM \d+ \(shop\): grow scsi0/)
        ])
        expect((yield* host.writes).filter(isCreation)).toHaveLength(1)
      }).pipe(Effect.provide(onGolden)),
    60_000
  )

  it.effect("is not made from a container's archive, nor where the policy has no storage for it, and that is told once", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      yield* allowing(host)
      const agent = yield* host.boot()
      yield* agent.desired(state(1, wishNew("golden")))
      yield* Effect.repeatN(turn(agent), 2)
      expect(toldBy(agent)).toEqual([
        expect.stringContaining("the image golden is an archive of a container, and a virtual machine is wished for")
      ])
      yield* allowing(host, { storages: [] })
      yield* agent.desired(state(2, wishNew("machine")))
      yield* Effect.repeatN(turn(agent), 2)
      expect(toldBy(agent).at(-1)).toContain("the host's policy allows no new guest on the storage ctstore")
      expect(yield* host.writes).toEqual([])
    }).pipe(Effect.provide(onGolden)))

  it.effect("is not made from an archive that would reach beyond it, and that is told", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      yield* allowing(host)
      const agent = yield* host.boot()
      yield* agent.desired(state(1, wishNew("machine")))
      yield* turn(agent)
      expect(toldBy(agent).join()).toContain("it has arguments for qemu itself, which reach beyond it (args)")
      expect(yield* host.writes).toEqual([])
    }).pipe(
      Effect.provide(layerWith({ world: worldWith(goldenConfig, (world) => world, `${machineConfig}args: -x\n`) }))
    ))
})

it.effect(
  "a crash while a virtual machine is made leads to one that runs, wherever it happens",
  () =>
    Effect.gen(function*() {
      const prepared = Effect.gen(function*() {
        const host = yield* makeHost
        yield* allowing(host)
        const first = yield* host.boot()
        yield* first.opened
        yield* first.desired(state(1, wishNew("machine")))
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
          const shown = `stuck at ${step}: ${toldBy(again).join("; ")}`
          expect((yield* named(host)).map(({ status }) => status), shown).toEqual(["running"])
          expect((yield* host.writes).filter(isCreation), shown).toHaveLength(1)
          const { guests: made, open } = yield* again.run(
            Effect.flatMap(OpJournal, ({ desired }) => Effect.all({ guests: desired.guests, open: desired.open }))
          )
          expect(open, shown).toEqual([])
          expect(made, shown).toMatchObject([{ key, stage: "proven" }])
          yield* again.kill
        }).pipe(Effect.provide(onGolden))
      }
    }),
  600_000
)
