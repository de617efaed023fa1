import { openDesk } from "@felhom/agent/ops/OpsStart"
import { guestIdentity } from "@felhom/domain/GuestConfig"
import { type GuestRef, Vmid } from "@felhom/domain/ProxmoxId"
import * as StateFile from "@felhom/durable/StateFile"
import * as NodeCrypto from "@felhom/node/NodeCrypto"
import * as NodeDurableFile from "@felhom/node/NodeDurableFile"
import { fileStamps } from "@felhom/node/NodeFileStamps"
import * as NodeFileSteps from "@felhom/node/NodeFileSteps"
import * as NodeSignatureCrypto from "@felhom/node/NodeSignatureCrypto"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import * as TaskWaiter from "@felhom/proxmox/TaskWaiter"
import { PveSim } from "@felhom/pve-sim/PveSim"
import { DesiredIntake } from "@felhom/reconciler/desired/DesiredIntake"
import * as Observer from "@felhom/reconciler/Observer"
import { guestsAtOnce } from "@felhom/reconciler/pursuit/Pass"
import { Pursuit } from "@felhom/reconciler/pursuit/Pursuit"
import { Context, Effect, Encoding, Layer, Logger, LogLevel, type Scope } from "effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Figure } from "./Figure.ts"
import { makeFolder, removeFolder } from "./Stage.ts"
import { median, ratio } from "./Statistics.ts"
import { noRoot, proxmoxClient, simulator } from "./World.ts"

const guests = 100
const rounds = 2
/** How soon the reference sees a task's end: as good as knowing it. */
const look = "5 millis"

const refs: ReadonlyArray<GuestRef> = Array.from({ length: guests }, (_, index) => ({
  type: "lxc",
  vmid: Vmid.make(1_000 + index)
}))

type Host = PveSim | ProxmoxClient

/** So many stopped containers on a simulated host that takes as long for its tasks as a real one. */
const madeGuests = Effect.gen(function*() {
  const sim = yield* PveSim
  yield* Effect.forEach(
    refs,
    ({ vmid }) =>
      sim.change({
        _tag: "guest.create",
        vmid,
        type: "lxc",
        config: { hostname: `ct-${vmid}`, rootfs: "local:1", net0: "name=eth0,bridge=vmbr0" }
      }),
    { discard: true }
  )
})

const runningGuests = Effect.flatMap(
  ProxmoxClient,
  (client) => Effect.map(client.guests("lxc"), ({ rows }) => rows.filter(({ status }) => status === "running").length)
)

const timed = <A, E, R>(work: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const began = performance.now()
    yield* work
    const millis = performance.now() - began
    const running = yield* runningGuests
    return running === guests ? millis : yield* Effect.dieMessage(`${running} of ${guests} guests run`)
  })

/** The host's own tasks, as many at once as the agent has, each begun as soon as one before it has ended. */
const bare = Effect.gen(function*() {
  const client = yield* ProxmoxClient
  const one = (ref: GuestRef) =>
    Effect.flatMap(client.start(ref), (upid) =>
      client.taskStatus(upid).pipe(
        Effect.delay(look),
        Effect.repeat({ until: ({ status }) => status === "stopped" })
      ))
  return yield* timed(Effect.forEach(refs, one, { concurrency: guestsAtOnce, discard: true }))
})

const epoch = "e".repeat(32)

/** What makes and keeps a plan, over the stores on this machine's disk. */
const agentIn = (folder: string) =>
  Effect.gen(function*() {
    const places = {
      stateDirectory: join(folder, "state"),
      runtimeDirectory: join(folder, "run"),
      policyFile: join(folder, "policy.json"),
      signers: {
        allowed: join(folder, "allowed_signers"),
        revoked: { path: join(folder, "revoked"), required: false }
      },
      bootId: null
    }
    writeFileSync(
      places.policyFile,
      JSON.stringify({ typ: "felhom/policy/v1", desired: { blastRadius: { guests, minutes: 60 } } })
    )
    const ports = Layer.mergeAll(
      NodeCrypto.layer,
      NodeDurableFile.layer,
      NodeFileSteps.layer,
      NodeSignatureCrypto.layer,
      TaskWaiter.layer
    )
    const around = yield* Layer.build(
      Layer.mergeAll(Observer.layer, StateFile.layer(places.stateDirectory)).pipe(
        Layer.provide(noRoot),
        Layer.provideMerge(ports)
      )
    )
    const { context } = yield* Effect.provide(openDesk(places, fileStamps), around)
    const { host } = Context.get(around, StateFile.StateFile)
    const intake = Context.get(context, DesiredIntake)
    const pursuit = Context.get(context, Pursuit)
    const { observe } = Context.get(around, Observer.Observer)
    return {
      wishes: (all: ReadonlyArray<object>) =>
        intake.fromHub(Encoding.encodeBase64(JSON.stringify({
          typ: "felhom/desired/v1",
          host: host.id,
          hostEpoch: host.epoch,
          epoch,
          version: 1,
          issued: Date.now(),
          expires: Date.now() + 3_600_000,
          state: { guests: all }
        }))),
      cycle: Effect.zipRight(Effect.flatMap(observe, pursuit.pursue), pursuit.quiet)
    }
  })

/** From the moment that the agent has what is wished until all of it is done: it looks, plans, writes down, calls, and waits. */
const ours = (folder: string): Effect.Effect<number, unknown, Host | Scope.Scope> =>
  Effect.gen(function*() {
    const client = yield* ProxmoxClient
    const agent = yield* agentIn(folder)
    const wishes = yield* Effect.forEach(refs, (ref) =>
      Effect.map(client.guestConfig(ref), (config) => ({
        guest: { type: ref.type, identity: guestIdentity(ref.type, config) },
        power: "running"
      })))
    yield* agent.wishes(wishes)
    return yield* timed(agent.cycle)
  })

const onItsOwnHost = <E>(work: Effect.Effect<number, E, Host | Scope.Scope>): Promise<number> =>
  Effect.runPromise(
    Effect.zipRight(madeGuests, work).pipe(
      Effect.scoped,
      Effect.provide(Layer.provideMerge(proxmoxClient, simulator(1))),
      Logger.withMinimumLogLevel(LogLevel.None)
    )
  )

/** Whether a hundred guests with a change each take longer than the host's own work on them. */
export const measure = async (): Promise<ReadonlyArray<Figure>> => {
  const samples: Array<{ readonly ours: number; readonly bare: number }> = []
  for (let round = 0; round < rounds; round += 1) {
    const folder = makeFolder()
    samples.push({ ours: await onItsOwnHost(ours(folder)), bare: await onItsOwnHost(bare) })
    removeFolder(folder)
  }
  const oursMillis = samples.map((sample) => sample.ours)
  const bareMillis = samples.map((sample) => sample.bare)
  const seconds = (values: ReadonlyArray<number>): string => `${(median(values) / 1000).toFixed(2)} s`
  return [
    {
      id: "E3",
      name: `${guests} guests with one change each, a start / the host's own tasks, ${guestsAtOnce} at once`,
      value: ratio(oursMillis, bareMillis),
      unit: "x",
      gate: 1.2,
      goal: 1.1,
      detail: `${seconds(oursMillis)} / ${
        seconds(bareMillis)
      }, medians of ${rounds} rounds in turn, at a real host's pace`
    }
  ]
}
