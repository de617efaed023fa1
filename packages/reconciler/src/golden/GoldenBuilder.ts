import { HostPolicy } from "@felhom/authz/HostPolicy"
import type { GoldenName } from "@felhom/domain/GoldenManifest"
import { Crypto } from "@felhom/domain/port/Crypto"
import { Volid } from "@felhom/domain/ProxmoxId"
import { EpochMillis } from "@felhom/domain/Time"
import { Hold } from "@felhom/durable/Hold"
import { OpJournal } from "@felhom/durable/OpJournal"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import { TaskWaiter } from "@felhom/proxmox/TaskWaiter"
import { Clock, Context, Effect, Layer, Option, type Scope } from "effect"
import { chooseVmid } from "../make/VmidChoice.ts"
import { Executor } from "../op/Executor.ts"
import { gib } from "../plan/VolumeSize.ts"
import { buildHostname } from "./BuildHostname.ts"
import * as Steps from "./BuildSteps.ts"
import { notDone } from "./BuildTasks.ts"
import { type GoldenBuild, GoldenBuilds, type GoldenOrder } from "./GoldenBuilds.ts"
import { GoldenRefused } from "./GoldenRefused.ts"
import { GoldenStore } from "./GoldenStore.ts"

/**
 * Builds golden images: a container by root's hand, its first boot, its archive, and the manifest for operators to sign. Only root
 * asks for it, on the host. Each step is on record before it is taken; after a crash a build goes on from there, and only what the
 * record proves to be its own is ever removed.
 */
export class GoldenBuilder extends Context.Tag("felhom/reconciler/GoldenBuilder")<GoldenBuilder, {
  /** Chooses a number and begins. Answers as soon as that is on record; the work goes on beside. */
  readonly build: (order: GoldenOrder) => Effect.Effect<GoldenBuild, GoldenRefused>
  /** Goes on with one that was held up. */
  readonly resume: (name: GoldenName) => Effect.Effect<GoldenBuild, GoldenRefused>
  /** Removes what a build has left, where the host's record proves it its own, and forgets the build. Its archive stays. */
  readonly discard: (name: GoldenName) => Effect.Effect<string, GoldenRefused>
  /** With whether it is worked on now. */
  readonly all: Effect.Effect<ReadonlyArray<GoldenBuild & { readonly running: boolean }>, GoldenRefused>
  /** Takes up what was under way when the agent stopped. */
  readonly recover: Effect.Effect<void, GoldenRefused>
  /** Ends as soon as nothing is under way. */
  readonly quiet: Effect.Effect<void>
}>() {}

type Needs = Steps.StepNeeds | GoldenStore | HostPolicy | Hold | Executor | Crypto

const over: ReadonlySet<GoldenBuild["stage"]> = new Set(["done", "failed"])

const refusal = (name: string, detail: string, reason: GoldenRefused["reason"] = "build") =>
  new GoldenRefused({ reason, what: `golden image ${name}`, detail })

const inWords = (name: string) => (error: { readonly message: string }) =>
  error instanceof GoldenRefused ? error : refusal(name, error.message)

/** Why it can't be built there now; nothing was sent that changes anything. */
const places = ({ backupStorage, name, rootGiB, storage, template }: GoldenOrder) =>
  Effect.gen(function*() {
    const client = yield* ProxmoxClient
    const { rows } = yield* client.storages
    const usable = (id: string, content: string, what: string) => {
      const row = rows.find((one) => one.storage === id)
      if (row === undefined) return refusal(name, `this host has no storage ${id}`)
      if (!row.active) return refusal(name, `the storage ${id} can't be reached`)
      return row.content.includes(content) ? undefined : refusal(name, `the storage ${id} takes no ${what}`)
    }
    const trouble = usable(storage, "rootdir", "containers") ?? usable(backupStorage, "backup", "backups")
    if (trouble !== undefined) return yield* trouble
    const room = rows.find((one) => one.storage === storage)?.avail ?? 0
    if (room < rootGiB * gib) {
      return yield* refusal(
        name,
        `${storage} has ${(room / gib).toFixed(1)} GiB left, and its root volume may take ${rootGiB} GiB`
      )
    }
    const templates = yield* client.storageContent(
      rows.find((one) => template.startsWith(`${one.storage}:`))?.storage ?? storage,
      { content: "vztmpl" }
    )
    if (!templates.rows.some(({ volid }) => volid === template)) {
      return yield* refusal(name, `there is no template ${template} on this host; put it there`)
    }
  })

/** A template says what it is for at the end of its name, as Proxmox's own do: `debian-13-standard_13.1-1_amd64.tar.zst`. */
const otherArchitecture = (template: string, architecture: string): string | undefined => {
  const [, named] = /_([a-z0-9]+)\.(?:tar|tgz)/.exec(template) ?? []
  const known = ["amd64", "arm64", "armhf", "i386", "riscv64"]
  return named === undefined || !known.includes(named) || named === architecture ? undefined : named
}

/** What is under way is given up with the scope; the host's tasks run on. */
export const make = (
  host: Steps.BuildHost
): Effect.Effect<typeof GoldenBuilder.Service, never, Needs | Scope.Scope> =>
  Effect.gen(function*() {
    const scope = yield* Effect.scope
    const context = yield* Effect.context<Steps.StepNeeds>()
    const builds = yield* GoldenBuilds
    const store = yield* GoldenStore
    const policy = yield* HostPolicy
    const hold = yield* Hold
    const crypto = yield* Crypto
    const { desired: journal } = yield* OpJournal
    const queues = yield* (yield* Executor).queues
    const turn = yield* Effect.makeSemaphore(1)
    const running = new Set<string>()
    let waiters: Array<() => void> = []

    const next = (build: GoldenBuild, fresh: boolean): Steps.Step => {
      switch (build.stage) {
        case "chosen":
          return queues.heavily(Steps.create(build, fresh))
        case "created":
          return Steps.prove(host)(build)
        case "starting":
          return Steps.bootOnce(build, fresh)
        case "booted":
          return Steps.intendDump(build)
        case "dumping":
          return queues.heavily(Steps.dump(build, fresh))
        case "dumped":
          return queues.heavily(Steps.draft(host)(build))
        case "drafted":
          return Steps.tidy(build)
        case "done":
        case "failed":
          return Effect.succeed(build)
      }
    }

    /** To its end; `fresh`: the stage that it is at was reached in this life, so that what belongs to it was not yet sent. */
    const followed = (begun: GoldenBuild, begunNow: boolean) =>
      Effect.gen(function*() {
        let build = begun
        let fresh = begunNow
        while (!over.has(build.stage)) {
          const held = yield* hold.current
          const step = yield* Effect.either(
            Option.isSome(held)
              ? Steps.heldUp(`the host is held (${held.value.reason}); release it, then resume the build`)
              : next(build, fresh)
          )
          if (step._tag === "Left") {
            const error = step.left
            const isOver = error._tag === "Halted" && error.failed
            const said = error._tag === "Halted" ? error.why : error.message
            // A step may have written more before it was held up.
            const now = (yield* builds.all).find(({ order }) => order.name === build.order.name) ?? build
            yield* builds.put({ ...now, said, ...(isOver ? { stage: "failed" as const } : {}) })
            return yield* Effect.logWarning(`golden image ${build.order.name}: ${said}`)
          }
          build = step.right
          fresh = true
        }
        yield* Effect.logInfo(`golden image ${build.order.name} version ${build.order.version} is built`)
      }).pipe(
        Effect.catchAll((error) => Effect.logError("the record of golden images can't be written", error.message)),
        Effect.catchAllCause((cause) => Effect.logError("the agent itself failed at a golden image", cause))
      )

    const left = (name: string): void => {
      running.delete(name)
      if (running.size > 0) return
      for (const wake of waiters) wake()
      waiters = []
    }

    const begin = (build: GoldenBuild, fresh: boolean) =>
      Effect.suspend(() => {
        const { name } = build.order
        running.add(name)
        return queues.ifFree(`guest ${build.vmid}`, followed(build, fresh)).pipe(
          Effect.flatMap(Option.match({
            onNone: () =>
              Effect.logWarning(`golden image ${name}: an op for CT ${build.vmid} is under way; resume it later`),
            onSome: () => Effect.void
          })),
          Effect.provide(context),
          Effect.ensuring(Effect.sync(() => left(name))),
          Effect.forkIn(scope)
        )
      })

    const found = (name: GoldenName) =>
      Effect.flatMap(
        Effect.mapError(builds.all, inWords(name)),
        (all) => {
          const build = all.find(({ order }) => order.name === name)
          return build === undefined ? refusal(name, "no build of it is on record") : Effect.succeed(build)
        }
      )

    const notHeld = (name: string) =>
      Effect.flatMap(
        hold.current,
        Option.match({
          onNone: () => Effect.void,
          onSome: ({ reason, since }) =>
            refusal(name, `the host is held since ${new Date(since).toISOString()} (${reason}): nothing new is begun`)
        })
      )

    const mayBegin = (order: GoldenOrder) =>
      Effect.gen(function*() {
        const { name, template, version } = order
        yield* notHeld(name)
        const other = otherArchitecture(template, host.architecture)
        if (other !== undefined) {
          return yield* refusal(
            name,
            `the template ${template} is for ${other}, and this host is ${host.architecture}; take the ${host.architecture} one`
          )
        }
        const all = yield* builds.all
        const before = all.find((one) => one.order.name === name)
        if (before !== undefined && !over.has(before.stage)) {
          return yield* refusal(name, `a build of it has come as far as "${before.stage}"; resume or discard it first`)
        }
        if (running.size > 0) return yield* refusal(name, `another image is being built (${[...running].join(", ")})`)
        if (before?.stage === "failed" && before.identity !== null) {
          return yield* refusal(name, `the build before has left CT ${before.vmid} behind; discard it first`)
        }
        const known = Math.max(
          before?.stage === "done" ? before.order.version : 0,
          (yield* store.held).find(({ manifest }) => manifest.name === name)?.manifest.version ?? 0
        )
        if (version <= known) {
          return yield* refusal(
            name,
            `version ${known} of it is known here already; give this one a higher number`,
            "version"
          )
        }
        yield* places(order)
      })

    const chosen = (order: GoldenOrder) =>
      Effect.gen(function*() {
        const { name, storage, template } = order
        yield* mayBegin(order)
        const taken = new Set([
          ...(yield* journal.guests).map(({ guest }) => Number(guest.vmid)),
          ...(yield* builds.all).map(({ vmid }) => Number(vmid))
        ])
        const { desired: { scratch } } = (yield* policy.current).policy
        const vmid = yield* chooseVmid({ archive: Volid.make(template), storage }, "lxc", { scratch }, taken)
        if (vmid === undefined) {
          return yield* refusal(name, "every number that looks free belongs to a guest that the token can't see")
        }
        return yield* builds.put({
          order,
          hostname: `${buildHostname}${yield* crypto.randomHex(8)}`,
          vmid,
          begunAt: EpochMillis.make(yield* Clock.currentTimeMillis),
          stage: "chosen",
          createUpid: null,
          identity: null,
          dumpAt: null,
          dumpUpid: null,
          volid: null,
          draft: null,
          said: ""
        })
      }).pipe(Effect.provide(context), Effect.mapError(inWords(order.name)))

    const free = (name: GoldenName) =>
      running.has(name) ? Effect.fail(refusal(name, "it is being built now")) : Effect.void

    const atRest = (build: GoldenBuild) =>
      Effect.gen(function*() {
        const client = yield* ProxmoxClient
        const ref = Steps.refOf(build)
        const { status } = yield* client.guestStatus(ref)
        if (status === "stopped") return
        const why = notDone(yield* Effect.flatMap(client.shutdown(ref), (yield* TaskWaiter).wait))
        if (why !== undefined) {
          return yield* refusal(build.order.name, `CT ${build.vmid} was asked to shut down and did not: ${why}`)
        }
      }).pipe(Effect.catchIf((error) => "reason" in error && error.reason === "guest-not-found", () => Effect.void))

    const discarded = (build: GoldenBuild) =>
      Effect.gen(function*() {
        const { name } = build.order
        if (build.identity !== null && build.stage !== "done") {
          yield* atRest(build)
          yield* Effect.mapError(
            Steps.removed(build),
            (error) => error._tag === "Halted" ? refusal(name, error.why) : error
          )
        }
        yield* builds.drop(name)
        return build.volid === null
          ? `the build of ${name} is forgotten`
          : `the build of ${name} is forgotten; its archive ${build.volid} stays, protected`
      }).pipe(Effect.provide(context), Effect.mapError(inWords(build.order.name)))

    return GoldenBuilder.of({
      build: (order) =>
        turn.withPermits(1)(Effect.tap(chosen(order), (build) => begin(build, true)).pipe(Effect.uninterruptible)),
      resume: (name) =>
        turn.withPermits(1)(Effect.gen(function*() {
          yield* free(name)
          yield* notHeld(name)
          const build = yield* found(name)
          if (over.has(build.stage)) return yield* refusal(name, `its build is ${build.stage}; build a new version`)
          yield* begin(build, false)
          return build
        })),
      discard: (name) => turn.withPermits(1)(Effect.zipRight(free(name), Effect.flatMap(found(name), discarded))),
      all: Effect.mapBoth(builds.all, {
        onFailure: inWords("builds"),
        onSuccess: (all) => all.map((build) => ({ ...build, running: running.has(build.order.name) }))
      }),
      recover: Effect.gen(function*() {
        const all = yield* Effect.mapError(builds.all, inWords("builds"))
        for (const build of all) if (!over.has(build.stage)) yield* begin(build, false)
      }),
      quiet: Effect.async<void>((resume) => {
        if (running.size === 0) resume(Effect.void)
        else waiters.push(() => resume(Effect.void))
      })
    })
  })

/** What `make` makes. */
export const layer = (host: Steps.BuildHost): Layer.Layer<GoldenBuilder, never, Needs> =>
  Layer.scoped(GoldenBuilder, make(host)).pipe(Layer.ensureRequirementsType<Needs>())
