import { cycle, freshMemory } from "@felhom/agent/Cycle"
import { openDesk } from "@felhom/agent/ops/OpsStart"
import type { Envelope } from "@felhom/domain/Envelope"
import { DurableFile } from "@felhom/domain/port/DurableFile"
import { FileSteps } from "@felhom/domain/port/FileSteps"
import { NodeName, TokenId } from "@felhom/domain/ProxmoxId"
import * as StateFile from "@felhom/durable/StateFile"
import * as HubClient from "@felhom/hub-client/HubClient"
import { HubClientConfig } from "@felhom/hub-client/HubClientConfig"
import * as NodeCrypto from "@felhom/node/NodeCrypto"
import * as NodeSignatureCrypto from "@felhom/node/NodeSignatureCrypto"
import * as PinnedHttp from "@felhom/node/PinnedHttp"
import * as ProxmoxClient from "@felhom/proxmox/ProxmoxClient"
import { ProxmoxConfig } from "@felhom/proxmox/ProxmoxConfig"
import * as TaskWaiter from "@felhom/proxmox/TaskWaiter"
import type { ConsoleChange } from "@felhom/pve-sim/ConsoleChange"
import * as InProcessFront from "@felhom/pve-sim/InProcessFront"
import { PveSim, type PveSimOptions } from "@felhom/pve-sim/PveSim"
import * as Observer from "@felhom/reconciler/Observer"
import { Pursuit } from "@felhom/reconciler/pursuit/Pursuit"
import { agentPrivileges } from "@felhom/reconciler/Rights"
import {
  Context,
  Effect,
  Exit,
  Fiber,
  Layer,
  Logger,
  Option,
  Redacted,
  Ref,
  Scope,
  TestClock,
  TestServices
} from "effect"
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { type Disk, makeModel, type Model } from "../../packages/durable/test/ModelFileSystem.ts"
import { folder, makeHost, makeHub, makePerson } from "../../packages/operator/test/TrustWorld.ts"
import { noSensors } from "../../packages/reconciler/test/ObservedHost.ts"

const secret = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
const tokenId = TokenId.make("felhom-agent@pve!agent")

const places = {
  stateDirectory: "/state",
  runtimeDirectory: "/run",
  policyFile: "/etc/policy.json",
  signers: { allowed: "/etc/allowed_signers", revoked: { path: "/etc/revoked_keys", required: false } },
  bootId: "boot"
} as const

/** Hub and operators live in real time; the host in one of its own, which is as late as the test wants it. */
const live = TestServices.provideLive

const utf8 = new TextEncoder()

/** What a person with root has put there, and the agent's own files. */
const filesOn = (model: Model, root: ReadonlyMap<string, string>): typeof DurableFile.Service => ({
  read: (path) =>
    Effect.sync(() => {
      const text = root.get(path)
      return Option.fromNullable(text === undefined ? model.present().get(path) : utf8.encode(text))
    }),
  replace: (path, content) =>
    Effect.scoped(Effect.gen(function*() {
      const file = yield* model.files.create(`${path}.new`)
      yield* file.append(content)
      yield* file.sync
      yield* model.files.rename(`${path}.new`, path)
      yield* model.files.syncFolder("/state")
    }))
})

const enrolled = (directory: string): Disk =>
  new Map(
    readdirSync(directory).filter((name) => statSync(join(directory, name)).isFile())
      .map((name) => [`/state/${name}`, new Uint8Array(readFileSync(join(directory, name)))] as const)
  )

type Handle = (typeof PveSim.Service)["handle"]

/** What comes in between of the hub's answer. */
type Interception = (envelope: Envelope) => Envelope

/** One simulated host whose agent reports to a real hub, an operator with `felhom`, and root's files. */
export const wishedHost = Effect.gen(function*() {
  const sim = yield* PveSim
  const hub = yield* live(makeHub)
  const admin = yield* live(makePerson(hub, yield* live(hub.token("admin"))))
  const operator = yield* live(makePerson(hub, yield* live(hub.token("operator", "anna"))))
  const host = yield* live(makeHost(hub, sim.node))
  const felhom = (...args: ReadonlyArray<string>) => live(operator.felhom(args))
  const [token = ""] = (yield* live(admin.felhom(["enrol"]))).out.split("\n")
  yield* Effect.flip(live(host.enrol(token)))
  yield* live(admin.felhom(["accept", host.code]))
  yield* live(host.enrol(token))
  const place = yield* folder

  const root = new Map<string, string>()
  let asking = false
  let between: Interception = (envelope) => envelope
  let handle: Handle = sim.handle
  const logged: Array<string> = []
  const proxmox = TaskWaiter.layer.pipe(
    Layer.provideMerge(ProxmoxClient.layer),
    Layer.provide(Layer.merge(
      Layer.provide(InProcessFront.layer, Layer.succeed(PveSim, { ...sim, handle: (request) => handle(request) })),
      Layer.succeed(ProxmoxConfig, {
        url: new URL("https://demo.example:8006"),
        node: NodeName.make(sim.node),
        tokenId,
        secret: Redacted.make(secret)
      })
    ))
  )
  const toHub = Layer.map(
    HubClient.layer.pipe(
      Layer.orDie,
      Layer.provide(PinnedHttp.layer({ peer: hub.url.host, pins: hub.pins })),
      Layer.provide(Layer.sync(HubClientConfig, () => ({
        url: hub.url,
        token: Redacted.make(readFileSync(host.bearerPath, "utf8").trim()),
        sign: host.sign
      })))
    ),
    (context) => {
      const client = Context.get(context, HubClient.HubClient)
      return Context.make(HubClient.HubClient, {
        exchange: (report) =>
          Effect.sync(() => void (asking = true)).pipe(
            Effect.zipRight(live(client.exchange(report))),
            Effect.map((envelope) => between(envelope)),
            Effect.ensuring(Effect.sync(() => void (asking = false)))
          )
      })
    }
  )

  /** Lets the host's time pass until it is over; while the hub is asked it stands still. */
  const passing = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.gen(function*() {
      const fiber = yield* Effect.fork(effect)
      const step = Effect.suspend(() =>
        asking ? Effect.promise(() => new Promise<void>((go) => setImmediate(go))) : TestClock.adjust("1 second")
      )
      yield* Effect.repeat(step, { until: () => Effect.map(Fiber.poll(fiber), Option.isSome) })
      return yield* Fiber.join(fiber)
    })

  const self = { node: NodeName.make(sim.node), bootId: "boot" }

  /** A life of the agent, on this disk. */
  const boot = (disk: Disk) =>
    Effect.gen(function*() {
      const model = makeModel(disk, { history: false })
      const scope = yield* Scope.make()
      const ground = Layer.mergeAll(
        Observer.layer,
        Layer.orDie(StateFile.layer(places.stateDirectory)),
        toHub
      ).pipe(
        Layer.provide(noSensors),
        Layer.provideMerge(Layer.mergeAll(
          proxmox,
          NodeCrypto.layer,
          NodeSignatureCrypto.layer,
          Layer.succeed(DurableFile, filesOn(model, root)),
          Layer.succeed(FileSteps, model.files)
        ))
      )
      const around = yield* Layer.buildWithScope(ground, scope)
      const stamps = (paths: ReadonlyArray<string>): string => paths.map((path) => root.get(path) ?? "").join("\n")
      const { context, desk } = yield* openDesk(places, stamps).pipe(Effect.provide(around), Scope.extend(scope))
      const memory = yield* Ref.make(freshMemory)
      const { quiet } = Context.get(context, Pursuit)
      return {
        model,
        kill: Scope.close(scope, Exit.void),
        /** One cycle, with all that it begins. */
        turn: (tells: boolean) =>
          passing(
            Effect.gen(function*() {
              const before = yield* Ref.get(memory)
              const hubDueAt = tells ? 0 : Number.MAX_SAFE_INTEGER
              yield* Ref.set(memory, yield* cycle(self, { ...before, hubDueAt }, desk))
            }).pipe(Effect.provide(around))
          ).pipe(Effect.zipRight(passing(quiet)), Effect.zipRight(TestClock.adjust("30 seconds")))
      }
    })

  const logger = Logger.make<unknown, void>(({ message }) => void logged.push(String(message)))
  const heard = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.provide(effect, Logger.replace(Logger.defaultLogger, logger))
  const life = yield* Ref.make(yield* heard(boot(enrolled(host.directory))))
  const turn = (tells: boolean) => heard(Effect.flatMap(Ref.get(life), (agent) => agent.turn(tells)))
  // The first look, so that people see what is there.
  yield* turn(true)
  yield* live(operator.felhom(["trust", host.id], { types: host.code }))

  return {
    sim,
    host,
    felhom,
    /** What the agent's log has said, which journald keeps. */
    logged,
    change: (change: ConsoleChange) => sim.change(change),
    /** Root's own policy for desired states. */
    policy: (desired: object) =>
      Effect.sync(() => void root.set(places.policyFile, JSON.stringify({ typ: "felhom/policy/v1", desired }))),
    /**
     * So many cycles of the daemon, half a minute and all that they begin apart. The hub hears of the first and the last: it lives in
     * real time, in which that many reports come too fast.
     */
    turns: (count: number) =>
      Effect.forEach(
        Array.from({ length: count }, (_, at) => at === 0 || at === count - 1),
        turn,
        { discard: true }
      ),
    /** The same while the hub is away. */
    alone: (count: number) => Effect.repeatN(turn(false), count - 1),
    later: (hours: number) => TestClock.adjust(`${hours} hours`),
    /** Puts somebody between the hub and the agent. */
    intercept: (how: Interception) => Effect.sync(() => void (between = how)),
    /** Puts somebody between the agent and Proxmox. */
    meddle: (how: (sim: Handle) => Handle) => Effect.sync(() => void (handle = how(sim.handle))),
    /** Kills the agent while it is at work, and starts it again on what its disk holds. */
    crash: (during: Effect.Effect<void>) =>
      heard(Effect.gen(function*() {
        const agent = yield* Ref.get(life)
        const fiber = yield* Effect.fork(agent.turn(true))
        yield* during
        yield* agent.kill
        yield* Fiber.interrupt(fiber)
        yield* Ref.set(life, yield* boot(agent.model.present()))
      })),
    /** Writes a file of wishes for the host's guests, and applies it. */
    apply: (guests: string, ...more: ReadonlyArray<string>) =>
      Effect.suspend(() => {
        const path = join(place, "wishes.yaml")
        writeFileSync(path, `host: ${sim.node}\nguests:\n${guests.replace(/^/gm, "  ")}\n`)
        return felhom("apply", "-f", path, "--yes", ...more)
      }),
    /** Every request so far that could change or destroy anything. */
    writes: Effect.map(
      sim.requests,
      (all) =>
        all.filter(({ method }) => method !== "GET").flatMap(({ count, method, path }) =>
          Array.from({ length: count }, () => `${method} ${path.replace(`/api2/json/nodes/${sim.node}`, "")}`)
        )
    )
  }
})

export type WishedHost = Effect.Effect.Success<typeof wishedHost>

export const onHost = (options: PveSimOptions = {}) =>
  PveSim.layer({ secrets: { [tokenId]: secret }, roles: { FelhomAgent: agentPrivileges }, ...options }).pipe(
    Layer.provideMerge(Layer.effectDiscard(Effect.suspend(() => TestClock.setTime(Date.now()))))
  )
