import { HostPolicy } from "@felhom/authz/HostPolicy"
import type { DesiredPolicy } from "@felhom/domain/DesiredPolicy"
import type { DesiredStatus } from "@felhom/domain/HostReport"
import type { Volid } from "@felhom/domain/ProxmoxId"
import type { DurableLogError } from "@felhom/durable/DurableLogError"
import { Hold } from "@felhom/durable/Hold"
import { OpJournal } from "@felhom/durable/OpJournal"
import type { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import type { TaskWaiter } from "@felhom/proxmox/TaskWaiter"
import { Clock, Context, Effect, Layer, Option, type Scope } from "effect"
import { DesiredIntake } from "../desired/DesiredIntake.ts"
import { DesiredStore, type HeldDesired } from "../desired/DesiredStore.ts"
import { GoldenImages } from "../golden/GoldenImages.ts"
import { isRootsOwn } from "../golden/GoldenPolicy.ts"
import { GoldenRefused } from "../golden/GoldenRefused.ts"
import type { Observation, SeenHost } from "../Observation.ts"
import { Executor } from "../op/Executor.ts"
import { type GateInput, type Judged, judgePlan } from "../plan/Gate.ts"
import { readImages } from "../plan/HostSight.ts"
import type { MadeGuest, ObservedImage } from "../plan/ObservedHost.ts"
import { plan } from "../plan/Planner.ts"
import type { BenignStep } from "../plan/PlanStep.ts"
import { withThinPools } from "../plan/ThinPools.ts"
import { Attempts } from "./Attempts.ts"
import { runPass, whomOf } from "./Pass.ts"
import { PursuitNews, type Standing } from "./PursuitNews.ts"
import { seenHost } from "./SeenGuests.ts"
import { blockedLines, driftLines, held as heldBack, heldUp } from "./Standing.ts"
import { recoverStep } from "./StepRecovery.ts"
import { isMaking, type Standpoint } from "./StepRun.ts"

/**
 * Moves the host to its desired state and keeps it there: each observation is held against what is wished, and the benign part of
 * what differs is done, within the host's policy. What is not done is told once, with the reason.
 *
 * A host that is as wished costs nothing but the observation. What was begun before a crash is followed to its end, and never sent
 * again. Interrupting it leaves tasks on the host running.
 */
export class Pursuit extends Context.Tag("felhom/reconciler/Pursuit")<Pursuit, {
  /** Plans by what was just seen, and begins what may be done. Answers as soon as that is known; the work goes on beside. */
  readonly pursue: (observation: Pick<Observation, "seen">) => Effect.Effect<void>
  /** Takes up what the journal holds from before. The guests that it is about are left alone until it is over. */
  readonly recover: Effect.Effect<void, DurableLogError>
  /** For the inventory; null where no desired state was ever taken, or none can be read. */
  readonly status: Effect.Effect<DesiredStatus | null>
  /** Ends as soon as nothing is under way. */
  readonly quiet: Effect.Effect<void>
}>() {}

type Needs =
  | ProxmoxClient
  | TaskWaiter
  | OpJournal
  | HostPolicy
  | GoldenImages
  | Hold
  | DesiredStore
  | DesiredIntake
  | Executor
  | PursuitNews

/** A list of images is held so long while something waits to be made from it. */
const imagesMillis = 600_000

/** All that a plan is judged by. */
interface Ground {
  readonly desired: HeldDesired
  readonly policy: DesiredPolicy
  readonly input: Omit<GateInput, "storages">
  /** Why nothing at all is begun; null: something may be. */
  readonly standstill: Standing | null
}

const standstillOf = (
  { desired, input: { expires, hold, now } }: Pick<Ground, "desired" | "input">,
  problem: Option.Option<string>
): Standing | null => {
  const whole = { subject: null, words: "the desired state" }
  const blocked = (key: string, why: string): Standing => ({ ...whole, key, kind: "desired.blocked", why })
  if (Option.isSome(problem)) {
    return blocked("policy", `nothing is begun for it while root's policy can't be taken: ${problem.value}`)
  }
  if (desired.version === 0) return blocked(`epoch ${desired.epoch}`, "none of the hub's new store has come yet")
  if (now >= expires) {
    return blocked(
      `expired ${expires}`,
      `version ${desired.version} was good until ${
        new Date(expires).toISOString()
      }: nothing is begun for it; publish a new one`
    )
  }
  return hold === null ? null : {
    ...whole,
    key: `hold ${hold.since}`,
    kind: "desired.waiting",
    why: `the host is held since ${new Date(hold.since).toISOString()}: ${hold.reason}`
  }
}

/** Its own records, or the host, could not be read this time. */
const unreadable = (why: string): Standing => ({
  subject: null,
  words: "the desired state",
  key: `unreadable ${why}`,
  kind: "desired.blocked",
  why: `nothing is begun for it, as something can't be read: ${why}`
})

/** What is under way is given up with the scope. */
export const make: Effect.Effect<typeof Pursuit.Service, never, Needs | Scope.Scope> = Effect.gen(function*() {
  const scope = yield* Effect.scope
  const context = yield* Effect.context<ProxmoxClient | TaskWaiter | OpJournal | PursuitNews>()
  const { desired: journal } = yield* OpJournal
  const hostPolicy = yield* HostPolicy
  const golden = yield* GoldenImages
  const hold = yield* Hold
  const store = yield* DesiredStore
  const intake = yield* DesiredIntake
  const news = yield* PursuitNews
  const queues = yield* (yield* Executor).queues
  const attempts = new Attempts()
  const judging = yield* Effect.makeSemaphore(1)
  const turn = yield* Effect.makeSemaphore(1)
  const underWay = new Set<string>()
  let waiters: Array<() => void> = []
  let told: Pick<DesiredStatus, "drift" | "blocked"> | undefined
  let images: { readonly at: number; readonly of: string; readonly found: ReadonlyArray<ObservedImage> } | undefined

  const left = (whom: string): void => {
    underWay.delete(whom)
    if (underWay.size > 0) return
    for (const wake of waiters) wake()
    waiters = []
  }

  const made: Effect.Effect<ReadonlyArray<MadeGuest>, DurableLogError> = Effect.map(
    journal.guests,
    (guests) => guests.map(({ guest, identity, key }) => ({ key, ref: guest, identity: identity ?? "" }))
  )

  /** None where no desired state was ever taken. */
  const ground: Effect.Effect<Option.Option<Ground>, { readonly message: string }> = Effect.gen(function*() {
    const current = yield* store.current
    if (Option.isNone(current)) return Option.none()
    const desired = current.value
    const { policy: root, problem } = yield* hostPolicy.current
    const policy = yield* golden.allowed(root.desired)
    const input = {
      policy,
      now: yield* Clock.currentTimeMillis,
      hold: Option.getOrNull(yield* hold.current),
      expires: desired.version === 0 || desired.document === null ? 0 : desired.document.expires,
      counts: yield* journal.counts
    }
    return Option.some({
      desired,
      policy,
      input,
      standstill: standstillOf({ desired, input }, problem)
    })
  })

  /** To read an image takes minutes, in which somebody may have held the host or taken the image out of its policy. */
  const stillAllowed = (desired: HeldDesired, archive: Volid) =>
    Effect.filterOrFail(
      Effect.orElseSucceed(ground, () => Option.none<Ground>()),
      Option.exists((now) =>
        now.standstill === null && now.desired.sha256 === desired.sha256 &&
        Object.values(now.policy.images).includes(archive)
      ),
      () =>
        new GoldenRefused({
          reason: "overtaken",
          what: archive,
          detail: "while it was read, the host was held, or its policy or its desired state changed"
        })
    )

  const standpoint = ({ desired, policy }: Ground, seen: SeenHost): Standpoint => ({
    desired,
    policy,
    image: (archive, depth) =>
      Effect.tap(
        golden.check(archive, policy, depth),
        () => depth === "look" || isRootsOwn(policy, archive) ? Effect.void : stillAllowed(desired, archive)
      ),
    // Another desired state by now has its own plan.
    gate: (storages) =>
      Effect.match(ground, {
        onFailure: () => Option.none(),
        onSuccess: Option.flatMap((now) =>
          now.standstill === null && now.desired.sha256 === desired.sha256
            ? Option.some({ ...now.input, storages })
            : Option.none()
        )
      }),
    made: Effect.orElseSucceed(made, () => []),
    doubt: seen.doubt,
    queues,
    attempts,
    judging
  })

  /** Only where something is to be made from them. */
  const imagesFor = (archives: ReadonlyArray<Volid>, wanted: boolean) =>
    Effect.gen(function*() {
      if (!wanted || archives.length === 0) return []
      const now = yield* Clock.currentTimeMillis
      const of = JSON.stringify(archives)
      if (images?.of === of && Math.abs(now - images.at) < imagesMillis) return images.found
      const found = yield* readImages(archives)
      images = { at: now, of, found }
      return found
    })

  const judgedBy = ({ desired, input, policy }: Ground, seen: SeenHost) =>
    Effect.gen(function*() {
      const state = desired.document?.state ?? { guests: [] }
      const records = yield* made
      const keys = new Set(records.map(({ key }) => key))
      const wanted = state.guests.some(({ guest, make }) =>
        make !== undefined && guest.identity.key !== null && !keys.has(guest.identity.key)
      )
      const found = yield* imagesFor(Object.values(policy.images), wanted)
      const host = seenHost(seen, records, found)
      const planned = plan(state, host, policy)
      const storages = yield* withThinPools(host.storages, planned)
      return judgePlan(planned, { ...input, storages })
    })

  /** What may be begun now, and what not; nothing of a guest that is worked on already. */
  const sorted = (judged: ReadonlyArray<Judged>, now: number) => {
    const go: Array<BenignStep> = []
    const standing: Array<Standing> = []
    for (const { step, verdict } of judged) {
      // Until it is proven, a new guest is in the hands of its making alone, whatever of it is there already.
      const { key } = step.guest.identity
      if (key !== null && underWay.has(`new ${key}`)) continue
      if (verdict.answer !== "go") {
        // What holds up the making of a guest is told of that, and its start waits with it.
        if (step.class !== "benign" || step.guest.ref !== null || isMaking(step)) standing.push(heldBack(step, verdict))
        continue
      }
      if (step.class !== "benign" || underWay.has(whomOf(step)) || attempts.isYoung(step.id, now)) continue
      const at = attempts.allowedAt(step.id, now)
      if (at <= now) go.push(step)
      else {
        standing.push(heldUp(step, `${attempts.soFar(step.id)}; it is tried again at ${new Date(at).toISOString()}`))
      }
    }
    return { go, standing }
  }

  const begin = (steps: ReadonlyArray<BenignStep>, at: Standpoint) =>
    Effect.suspend(() => {
      const whom = new Set(steps.map(whomOf))
      for (const one of whom) underWay.add(one)
      // Once it is done with a guest, another pass may have that.
      const done = (one: string): void => {
        if (whom.delete(one)) left(one)
      }
      return Effect.asVoid(Effect.forkIn(
        runPass(steps, at, done).pipe(
          Effect.provide(context),
          Effect.ensuring(Effect.sync(() => [...whom].forEach(done)))
        ),
        scope
      ))
    })

  const pursued = (found: Ground, seen: SeenHost) =>
    Effect.gen(function*() {
      attempts.tidy(found.input.now)
      if (found.desired.version === 0) {
        told = undefined
        return yield* news.standing(found.standstill === null ? [] : [found.standstill])
      }
      const judged = yield* Effect.provide(judgedBy(found, seen), context)
      const { go, standing } = sorted(judged, found.input.now)
      const all = found.standstill === null ? standing : [found.standstill]
      yield* news.standing(all)
      const hindrances = yield* news.hindrances(new Set(judged.map(({ step }) => step.id)))
      told = {
        drift: driftLines(judged),
        blocked: blockedLines(found.standstill === null ? [...all, ...hindrances] : all)
      }
      if (found.standstill === null && go.length > 0) yield* begin(go, standpoint(found, seen))
    })

  const pursue = (seen: SeenHost) =>
    Effect.flatMap(
      ground,
      Option.match({ onNone: () => Effect.void, onSome: (found) => pursued(found, seen) })
    ).pipe(
      Effect.catchAll((error) => {
        told = undefined
        return news.standing([unreadable(error.message)])
      })
    )

  return Pursuit.of({
    pursue: ({ seen }) => seen === undefined ? Effect.void : turn.withPermits(1)(pursue(seen)),
    recover: Effect.flatMap(journal.open, (steps) =>
      Effect.forEach(steps, (step) => {
        const whom = step.guest === null ? step.step.replace(/ [^ ]+$/, "") : `guest ${step.guest.vmid}`
        underWay.add(whom)
        return Effect.forkIn(
          recoverStep(step).pipe(
            Effect.provide(context),
            Effect.catchAllCause((cause) => Effect.logError("a step could not be followed to its end", cause)),
            Effect.ensuring(Effect.sync(() => left(whom)))
          ),
          scope
        )
      }, { discard: true })),
    status: Effect.map(intake.status, (status) =>
      status === null || told === undefined ? status : {
        epoch: status.epoch,
        version: status.version,
        stale: status.stale,
        drift: told.drift,
        blocked: told.blocked
      }),
    quiet: Effect.async<void>((resume) => {
      if (underWay.size === 0) resume(Effect.void)
      else waiters.push(() => resume(Effect.void))
    })
  })
})

export const layer: Layer.Layer<Pursuit, never, Needs> = Layer.scoped(Pursuit, make).pipe(
  Layer.ensureRequirementsType<Needs>()
)
