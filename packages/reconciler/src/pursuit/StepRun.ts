import type { DesiredPolicy } from "@felhom/domain/DesiredPolicy"
import type { HostEpoch } from "@felhom/domain/HostId"
import type { GuestRef } from "@felhom/domain/ProxmoxId"
import { EpochMillis } from "@felhom/domain/Time"
import type { OpOutcome } from "@felhom/durable/JournalWords"
import { OpJournal } from "@felhom/durable/OpJournal"
import type { BegunStep } from "@felhom/durable/StepRecord"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import type { ProxmoxError } from "@felhom/proxmox/ProxmoxError"
import type { TaskWaiter } from "@felhom/proxmox/TaskWaiter"
import { Cause, Clock, Effect, Either, Option } from "effect"
import type { MakeStep } from "../make/MakeOrder.ts"
import { checkMaking, makeGuest, type MakeOptions } from "../make/Making.ts"
import type { OpQueues } from "../op/OpQueues.ts"
import { guestInUse } from "../op/TargetBusy.ts"
import { roomOf } from "../plan/ActionClass.ts"
import { type GateInput, judgePlan, type Verdict } from "../plan/Gate.ts"
import { readStorages } from "../plan/HostSight.ts"
import type { MadeGuest, ObservedStorage } from "../plan/ObservedHost.ts"
import type { BenignStep } from "../plan/PlanStep.ts"
import { checkPrecondition } from "../plan/Precondition.ts"
import { withThinPools } from "../plan/ThinPools.ts"
import type { Attempts } from "./Attempts.ts"
import { freshGuest } from "./FreshGuest.ts"
import { PursuitNews, type Standing } from "./PursuitNews.ts"
import { held, heldUp, toldStep } from "./Standing.ts"
import { type GuestAction, makeCall, stepCall, stepCount, stepWrite } from "./StepCall.ts"
import { failed, followed, lookedUp, unknown } from "./StepEnd.ts"

/** What every step of a pass is done by. All of it is read anew for each step, but for whose wish it is. */
export interface Standpoint {
  readonly desired: { readonly epoch: HostEpoch; readonly version: number }
  readonly policy: DesiredPolicy
  /** Whether an image is what it has to be. */
  readonly image: MakeOptions["image"]
  /** As the gate goes by it now; none where nothing may be begun any more. */
  readonly gate: (
    storages: ReadonlyArray<ObservedStorage>
  ) => Effect.Effect<Option.Option<GateInput>>
  readonly made: Effect.Effect<ReadonlyArray<MadeGuest>>
  /** The guest was changed, or may have been. */
  readonly doubt: (ref: GuestRef) => Effect.Effect<void>
  readonly queues: OpQueues
  readonly attempts: Attempts
  /** One at a time is judged and written down: two at once would both fit under the same cap. */
  readonly judging: Effect.Semaphore
}

type Needs = ProxmoxClient | TaskWaiter | OpJournal | PursuitNews

/** What a passing trouble of Proxmox's is: nothing was done, and it is tried again. */
const passing: ReadonlySet<ProxmoxError["reason"]> = new Set([
  "not-started",
  "unreachable",
  "locked",
  "lock-timeout",
  "no-quorum",
  "storage-offline",
  "conflict",
  "wrong-state",
  "refused-certificate"
])

const notWritten = (error: { readonly message: string }) =>
  Effect.logError("the journal can't be written; how a step ended is looked for again after a restart", error.message)

/** Writes the end down and tells of it. */
export const settle = (
  id: string,
  outcome: OpOutcome,
  tell: Effect.Effect<boolean, never, PursuitNews>
): Effect.Effect<void, never, OpJournal | PursuitNews> =>
  Effect.gen(function*() {
    const { desired } = yield* OpJournal
    yield* Effect.catchAll(desired.ended(id, outcome), notWritten)
    if (yield* tell) yield* Effect.catchAll(desired.told(id), notWritten)
  }).pipe(Effect.uninterruptible)

const endTold = (step: BenignStep, outcome: OpOutcome) =>
  Effect.flatMap(PursuitNews, (news) => news.ended(toldStep(step), outcome))

const withAdvice = (step: BenignStep, outcome: OpOutcome): OpOutcome =>
  step.action.kind === "guest.shutdown" && outcome.end === "failed" && step.op !== null
    ? failed(`${outcome.detail}; nothing follows; if it has to stop, operators can sign that: ${step.op}`)
    : outcome

/** What was begun comes to an end in the journal all the same, or nothing more would ever be done for its guest. */
const ownFault = (defect: unknown): Effect.Effect<OpOutcome> =>
  Effect.as(
    Effect.logError("the agent itself failed at a step of the plan", Cause.die(defect)),
    unknown("the agent itself failed at it, which its log tells more of; it is planned anew from what is there then")
  )

/** Why a step was not begun; null where the next plan says better what is to be done. Nothing was sent. */
type NotBegun = Either.Either<never, Standing | null>

const refused = (step: BenignStep, verdict: Exclude<Verdict, { readonly answer: "go" }>): NotBegun =>
  Either.left(held(step, verdict))
const hindered = (step: BenignStep, why: string): NotBegun => Either.left(heldUp(step, why))

const overtaken: NotBegun = Either.left(null)

/** The step alone, as things are now. */
const judgedNow = (step: BenignStep, input: GateInput): Verdict =>
  judgePlan({ steps: [{ ...step, after: [], waitsFor: null }], notes: [] }, input)[0]?.verdict ??
    { answer: "wait", until: null, reason: "it could not be judged" }

const roomNow = (step: BenignStep): Effect.Effect<ReadonlyArray<ObservedStorage>, string, ProxmoxClient> =>
  roomOf(step.action) === null
    ? Effect.succeed([])
    : Effect.flatMap(readStorages, (storages) => withThinPools(storages, { steps: [step], notes: [] })).pipe(
      Effect.mapError(({ message }) => `its storage can't be looked at: ${message}`)
    )

/** Counted and written down, if the gate lets it through now. */
const begun = (step: BenignStep, record: BegunStep, at: Standpoint): Effect.Effect<
  Either.Either<void, Standing | null>,
  never,
  Needs
> =>
  Effect.gen(function*() {
    const storages = yield* Effect.either(roomNow(step))
    if (Either.isLeft(storages)) return hindered(step, storages.left)
    const input = yield* at.gate(storages.right)
    if (Option.isNone(input)) return overtaken
    const verdict = judgedNow(step, input.value)
    if (verdict.answer !== "go") return refused(step, verdict)
    const written = yield* Effect.either((yield* OpJournal).desired.begun(record))
    if (Either.isLeft(written)) return hindered(step, `it can't be written down: ${written.left.message}`)
    at.attempts.begun(step.id, yield* Clock.currentTimeMillis)
    yield* (yield* PursuitNews).begun(step.id)
    return Either.void
  }).pipe(at.judging.withPermits(1))

const adopted = (step: BenignStep, upid: Parameters<typeof followed>[0]) =>
  Effect.gen(function*() {
    yield* Effect.catchAll((yield* OpJournal).desired.started(step.id, upid), notWritten)
    yield* (yield* PursuitNews).started(toldStep(step), upid)
  })

/** From the call on. It is made once. */
const called = (step: BenignStep, action: GuestAction, ref: GuestRef, digest: string | null, record: BegunStep) =>
  Effect.gen(function*() {
    const begunAt = EpochMillis.make(yield* Clock.currentTimeMillis)
    const answer = yield* Effect.either(makeCall(action, ref, digest))
    if (Either.isLeft(answer)) {
      const error = answer.left
      if (error.reason === "outcome-unknown") {
        const outcome = yield* lookedUp({ ...record, begunAt }, (upid) => adopted(step, upid))
        return { outcome, again: false }
      }
      return { outcome: failed(error.message), again: passing.has(error.reason) }
    }
    if (answer.right === null) return { outcome: { end: "finished", detail: "" } as const, again: false }
    yield* adopted(step, answer.right)
    return { outcome: yield* followed(answer.right), again: false }
  })

const recordOf = (step: BenignStep, guest: GuestRef | null, call: BegunStep["call"], at: Standpoint): BegunStep => ({
  step: step.id,
  epoch: at.desired.epoch,
  version: at.desired.version,
  action: step.action.kind,
  guest,
  call,
  write: stepWrite(step.action),
  count: stepCount(step)
})

/** At the head of its guest's queue: everything is looked at anew, and the call is made at once. */
const guestStep = (step: BenignStep, action: GuestAction, ref: GuestRef, at: Standpoint) =>
  Effect.gen(function*() {
    const look = yield* Effect.either(Effect.all({
      busy: guestInUse(ref.vmid),
      guest: Effect.flatMap(at.made, (made) => freshGuest(ref, made))
    }))
    if (Either.isLeft(look)) return hindered(step, `it can't be looked at: ${look.left.message}`)
    if (look.right.busy !== undefined) return hindered(step, look.right.busy.why)
    const met = checkPrecondition(step, { guest: look.right.guest, keys: new Set() })
    if (Either.isLeft(met)) {
      yield* at.doubt(ref)
      const why = `it is planned anew: ${met.left}`
      // The next plan goes by what is there now; where that helps nothing, people should know.
      if (at.attempts.overtaken(step.id)) return hindered(step, why)
      yield* Effect.logInfo(`${toldStep(step).words}: ${why}`)
      return overtaken
    }
    const record = recordOf(step, ref, stepCall(action, ref, (yield* ProxmoxClient).node), at)
    const written = yield* begun(step, record, at)
    if (Either.isLeft(written)) return written
    const { again, outcome } = yield* called(step, action, ref, met.right.digest, record).pipe(
      Effect.catchAllDefect((defect) => Effect.map(ownFault(defect), (outcome) => ({ outcome, again: false }))),
      Effect.ensuring(at.doubt(ref))
    )
    const end = withAdvice(step, outcome)
    at.attempts.ended(step.id, yield* Clock.currentTimeMillis, end.end === "finished" ? null : end.detail)
    yield* settle(
      step.id,
      outcome,
      again
        ? Effect.flatMap(PursuitNews, (news) =>
          Effect.as(news.heldUp(heldUp(step, `${outcome.detail}; it is tried again`), step.id), true))
        : endTold(step, end)
    )
    return Either.void
  })

/** A new guest, from its image to its first start. */
const makingStep = (step: MakeStep, start: boolean, at: Standpoint) =>
  Effect.gen(function*() {
    const options = { policy: at.policy, start, image: at.image }
    const trouble = yield* checkMaking(step, options)
    if (trouble !== undefined) return hindered(step, trouble)
    const call = { call: `make ${step.action.key}`, vmid: null, taskType: null }
    const written = yield* begun(step, recordOf(step, null, call, at), at)
    if (Either.isLeft(written)) return written
    yield* (yield* PursuitNews).started(toldStep(step), step.action.archive)
    const { detail, end, ref, upid } = yield* makeGuest(step, options)
    at.attempts.ended(step.id, yield* Clock.currentTimeMillis, end === "finished" ? null : detail)
    if (ref !== null) yield* at.doubt(ref)
    const told = toldStep({ ...step, guest: { ...step.guest, ref } })
    const outcome: OpOutcome = { end, detail: upid === null ? detail : `${detail}${detail === "" ? "" : " "}(${upid})` }
    yield* settle(step.id, outcome, Effect.flatMap(PursuitNews, (news) => news.ended(told, outcome)))
    return Either.void
  })

/** Whether the action makes a guest. */
export const isMaking = (step: BenignStep): step is MakeStep => step.action.kind === "guest.make"

const attempted = (step: BenignStep, starts: boolean, at: Standpoint): Effect.Effect<
  Either.Either<void, Standing | null>,
  never,
  Needs
> => {
  const { action, guest: { ref } } = step
  if (isMaking(step)) {
    return Effect.map(
      at.queues.ifFree(step.id, at.queues.heavily(makingStep(step, starts, at))),
      Option.getOrElse((): NotBegun => hindered(step, "it is being made"))
    )
  }
  if (action.kind === "guest.make" || ref === null) {
    return Effect.succeed(hindered(step, "the guest has to be made first"))
  }
  const work = guestStep(step, action, ref, at)
  return Effect.map(
    at.queues.ifFree(`guest ${ref.vmid}`, action.kind === "volume.grow" ? at.queues.heavily(work) : work),
    Option.getOrElse((): NotBegun => hindered(step, "a signed op for it is under way or waits"))
  )
}

/**
 * Does one step if it may be done now, and waits for its end; what holds it up is told, once, and stays to the next plan. `starts`:
 * what it makes is to run. True: it was begun.
 */
export const runStep = (step: BenignStep, starts: boolean, at: Standpoint): Effect.Effect<boolean, never, Needs> =>
  Effect.gen(function*() {
    const attempt = yield* attempted(step, starts, at)
    if (Either.isRight(attempt)) return true
    if (attempt.left !== null) yield* (yield* PursuitNews).heldUp(attempt.left, step.id)
    return false
  })
