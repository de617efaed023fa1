import { Authz } from "@felhom/authz/Authz"
import type { Attachment } from "@felhom/authz/OpAttachment"
import type { OpId } from "@felhom/domain/OpId"
import { Crypto } from "@felhom/domain/port/Crypto"
import type { SignedOp } from "@felhom/domain/SignedOp"
import type { TaskOutcome } from "@felhom/domain/TaskOutcome"
import { EpochMillis } from "@felhom/domain/Time"
import type { Upid } from "@felhom/domain/Upid"
import type { DurableLogError } from "@felhom/durable/DurableLogError"
import type { Hold } from "@felhom/durable/Hold"
import type { JournalledCall, OpenOp } from "@felhom/durable/JournalState"
import type { OpOutcome } from "@felhom/durable/JournalWords"
import { NonceStore } from "@felhom/durable/NonceStore"
import { OpJournal } from "@felhom/durable/OpJournal"
import type { Mandate } from "@felhom/mandate/Mandate"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import type { ProxmoxError } from "@felhom/proxmox/ProxmoxError"
import { TaskWaiter } from "@felhom/proxmox/TaskWaiter"
import { Cause, Clock, Context, Data, Effect, Layer, Option, Schedule, type Scope } from "effect"
import { backupMissing } from "./BackupProof.ts"
import { expectationUnmet } from "./Expectation.ts"
import { isLocal, type LocalOp, LocalOps } from "./LocalOps.ts"
import { callOf, effectMissing } from "./OpCalls.ts"
import { decodeDocument, type OpDocument } from "./OpDocument.ts"
import { type KnownOp, OpNews } from "./OpNews.ts"
import { type Alone, makeOpQueues, type OpQueues } from "./OpQueues.ts"
import { intendedCall } from "./OpTarget.ts"
import { whenFree } from "./TargetWait.ts"
import { tasksOf } from "./TaskLookup.ts"

/**
 * Does what was accepted, each op once at most, and says how it ended (protocol 5, steps 12 to 15). Ops on one target go one
 * after the other, in the order in which they were accepted; of those that load the host, one is under way at a time. One whose
 * target somebody else works on waits for that, with its nonce unspent.
 *
 * What was begun before a crash is followed to its end, and never sent again. Interrupting it leaves tasks on the host running.
 */
export class Executor extends Context.Tag("felhom/reconciler/Executor")<Executor, {
  /** Takes on an op that is in the journal. Answers at once. */
  readonly submit: (op: OpenOp) => Effect.Effect<void>
  /** Takes up all that the journal holds from before. */
  readonly recover: Effect.Effect<void, DurableLogError>
  /** What ops wait for at the head of their queues, in words. */
  readonly waiting: Effect.Effect<ReadonlyMap<OpId, string>>
  /** The queues that its ops stand in: what else works on a guest does so in its guest's. */
  readonly queues: Effect.Effect<OpQueues>
}>() {}

type Needs = ProxmoxClient | TaskWaiter | OpJournal | Authz | LocalOps | OpNews | Crypto | Hold | NonceStore

interface Ended extends OpOutcome {
  readonly upid: Upid | null
}

const failed = (detail: string, upid: Upid | null = null): Ended => ({ end: "failed", detail, upid })
const unknown = (detail: string, upid: Upid | null = null): Ended => ({ end: "unknown", detail, upid })
const finished = (detail: string, upid: Upid | null = null): Ended => ({ end: "finished", detail, upid })

/** Nothing was sent, and why. */
class NotBegun extends Data.TaggedError("NotBegun")<{ readonly why: string }> {}

const signAgain = "sign it anew if it is still wanted"

/** Whether a task of ours has begun is asked again after this, as a call that was given up may still be on its way. */
const secondLook = "30 seconds"

const patience = Schedule.intersect(Schedule.spaced("30 seconds"), Schedule.recurs(10))

const passing: ReadonlySet<ProxmoxError["reason"]> = new Set([
  "unreachable",
  "not-started",
  "lock-timeout",
  "no-quorum",
  "storage-offline",
  "refused-certificate",
  "other"
])
const passes = ({ reason }: ProxmoxError): boolean => passing.has(reason)

const logText = (tail: ReadonlyArray<string>): string => (tail.length === 0 ? "" : `: ${tail.slice(-5).join("; ")}`)

/** What is under way is given up with the scope. */
export const make: Effect.Effect<typeof Executor.Service, never, Needs | Scope.Scope> = Effect.gen(function*() {
  const context = yield* Effect.context<ProxmoxClient | Crypto | Hold>()
  const client = yield* ProxmoxClient
  const waiter = yield* TaskWaiter
  const journal = yield* OpJournal
  const authz = yield* Authz
  const local = yield* LocalOps
  const news = yield* OpNews
  const nonces = yield* NonceStore
  const queues = yield* makeOpQueues
  const waiting = new Map<OpId, string>()

  /** Reads that fail because the host is busy or restarting are tried for some minutes; what they are for can wait. */
  const patiently = <A, R>(effect: Effect.Effect<A, ProxmoxError, R>) =>
    Effect.retry(effect, { schedule: patience, while: passes })

  /** A task's word, and then the thing itself. */
  const concluded = (op: SignedOp, outcome: TaskOutcome): Effect.Effect<Ended> => {
    switch (outcome._tag) {
      case "failed":
        return Effect.succeed(failed(`${outcome.exitStatus}${logText(outcome.logTail)}`, outcome.upid))
      case "unknown":
        return Effect.succeed(unknown(`nobody can tell: ${outcome.reason}; look for its effect`, outcome.upid))
      case "ok":
      case "warnings": {
        const { upid } = outcome
        const said = outcome._tag === "ok" ? "done" : `done, with warnings${logText(outcome.logTail)}`
        return patiently(effectMissing(op)).pipe(
          Effect.provide(context),
          Effect.match({
            onSuccess: (missing) =>
              missing === undefined ? finished(said, upid) : failed(`Proxmox says it is done, but ${missing}`, upid),
            onFailure: (error) =>
              unknown(`Proxmox says it is done; its effect could not be looked at: ${error.message}`, upid)
          })
        )
      }
    }
  }

  const awaited = (op: SignedOp, upid: Upid): Effect.Effect<Ended> =>
    Effect.matchEffect(waiter.wait(upid), {
      onSuccess: (outcome) => concluded(op, outcome),
      onFailure: (error) => Effect.succeed(unknown(`its task can't be followed: ${error.message}`, upid))
    })

  /** The UPID is on the disk before it is waited for. Where that fails, it is waited for all the same. */
  const followed = (known: KnownOp, upid: Upid): Effect.Effect<Ended> =>
    journal.started(known.id, upid).pipe(
      Effect.catchAll((error) => Effect.logError("the journal can't be written", error.message)),
      Effect.zipRight(news.started(known, upid)),
      Effect.zipRight(awaited(known.op, upid))
    )

  /** Of a call that may have been made and of which no answer is known: protocol 5, after a crash. It is not sent again. */
  const lookedUp = (known: KnownOp, call: Pick<JournalledCall, "vmid" | "taskType" | "at">): Effect.Effect<Ended> =>
    Effect.gen(function*() {
      const tasks = Effect.provide(patiently(tasksOf(known.op, call)), context)
      let found = yield* tasks
      if (found.length === 0) {
        yield* Effect.sleep(secondLook)
        found = yield* tasks
      }
      const [upid, ...others] = found
      if (upid !== undefined) {
        return others.length === 0
          ? yield* followed(known, upid)
          : unknown(`${found.length} tasks could be the one: ${found.join(", ")}; look for its effect`)
      }
      const unmet = yield* Effect.provide(patiently(expectationUnmet(known.op)), context)
      if (unmet !== undefined) return unknown(`no answer came, there is no task of it, and yet ${unmet}`)
      // What the operator was shown does not tell of all: whether a guest runs, whether a backup is protected.
      const missing = yield* Effect.provide(patiently(effectMissing(known.op)), context)
      return missing === undefined
        ? unknown("no answer came and there is no task of it, and yet its effect is there")
        : failed(`no answer came, there is no task of it, and its target is unchanged: it was not begun; ${signAgain}`)
    }).pipe(
      Effect.catchAll((error) =>
        Effect.succeed(unknown(`no answer came, and Proxmox could not be asked: ${error.message}; look for its effect`))
      )
    )

  const locally = (op: LocalOp, attachment: Attachment | null): Effect.Effect<Ended> =>
    Effect.match(local.perform(op, attachment), {
      onSuccess: (unmet) =>
        unmet === undefined
          ? finished("done")
          : failed(`it was not done: this is not what the operator was shown: ${unmet}; ${signAgain}`),
      onFailure: ({ message }) => unknown(message)
    })

  /** Of one that may have been done before a crash. It is not done again. */
  const locallyDone = (op: LocalOp): Effect.Effect<Ended> =>
    Effect.match(local.done(op), {
      onSuccess: (done) => done ? finished("done") : failed(`the agent stopped before it was done; ${signAgain}`),
      onFailure: ({ message }) => unknown(message)
    })

  const localUnmetOf = (op: LocalOp) =>
    Effect.mapError(local.unmet(op), ({ message }) => new NotBegun({ why: `${message}; ${signAgain}` }))
  const hostUnmetOf = (op: SignedOp) =>
    Effect.mapError(
      expectationUnmet(op),
      ({ message }) => new NotBegun({ why: `its target can't be read: ${message}; ${signAgain}` })
    )
  const unmetOf = (op: SignedOp) => isLocal(op) ? localUnmetOf(op) : Effect.provide(hostUnmetOf(op), context)
  const unprovenOf = (op: SignedOp) =>
    Effect.mapError(
      Effect.provide(backupMissing(op), context),
      ({ message }) => new NotBegun({ why: `its backups can't be looked for: ${message}; ${signAgain}` })
    )

  const called = (known: KnownOp, mandate: Mandate, call: Pick<JournalledCall, "vmid" | "taskType" | "at">) =>
    Effect.matchEffect(Effect.provide(callOf(known.op, mandate), context), {
      onFailure: (error) =>
        error._tag === "ProxmoxError" && error.reason === "outcome-unknown"
          ? lookedUp(known, call)
          : Effect.succeed(failed(error.message)),
      onSuccess: (upid) => upid === null ? concluded(known.op, { _tag: "ok", upid }) : followed(known, upid)
    })

  /** From the spending of its nonce on. */
  const begun = (known: KnownOp, { origin, signed }: OpDocument) =>
    Effect.gen(function*() {
      const { op } = known
      const { attachment, mandate } = yield* Effect.mapError(
        authz.admit(signed, origin),
        ({ message }) => new NotBegun({ why: message })
      )
      const unmet = yield* unmetOf(op)
      if (unmet !== undefined) {
        return yield* new NotBegun({ why: `this is not what the operator was shown: ${unmet}; ${signAgain}` })
      }
      const unproven = yield* unprovenOf(op)
      if (unproven !== undefined) {
        return yield* new NotBegun({
          why: `${unproven}; back it up, and sign it anew, or sign that no proven backup is accepted`
        })
      }
      const call = intendedCall(op, client.node)
      const at = EpochMillis.make(yield* Clock.currentTimeMillis)
      yield* Effect.mapError(
        journal.intent(known.id, call),
        ({ message }) => new NotBegun({ why: `${message}; ${signAgain}` })
      )
      if (isLocal(op)) return yield* locally(op, attachment)
      if (mandate === null) return yield* Effect.dieMessage(`no mandate for ${op.op}`)
      return yield* called(known, mandate, { ...call, at })
    })

  /** From the head of the queue on. */
  const performed = (known: KnownOp, document: OpDocument, alone: Alone): Effect.Effect<Ended> => {
    const told = (why: string) =>
      Effect.zipRight(Effect.sync(() => waiting.set(known.id, why)), news.waiting(known, why))
    // It is over when its work begins.
    const work = Effect.suspend(() => {
      waiting.delete(known.id)
      return begun(known, document)
    })
    return (isLocal(known.op) ? work : Effect.provide(whenFree(known.op, alone, told, work), context)).pipe(
      Effect.ensuring(Effect.sync(() => waiting.delete(known.id))),
      Effect.catchTags({
        NotBegun: ({ why }) => Effect.succeed(failed(`it was not begun: ${why}`)),
        WaitEnded: ({ why }) => Effect.succeed(failed(`it was not begun: ${why}; ${signAgain}`))
      })
    )
  }

  /** What is told of an end that the journal did not take: there, the next life of the agent finds the op as if it had none. */
  const unwritten = ({ op }: KnownOp, end: OpOutcome["end"], error: { readonly message: string }) =>
    Effect.gen(function*() {
      yield* Effect.logError("the journal can't be written; how the op ended is kept in state.json", error.message)
      const again =
        "; the journal did not take this: a restart goes by state.json, and without it looks for its end once more"
      // It may have failed with its nonce free. Whoever is told so may sign it anew, and then it must not be done, too.
      const spent = end !== "failed" ? true : yield* nonces.spend(op.nonce, op.exp).pipe(
        Effect.as(true),
        Effect.catchTags({ NonceSpent: () => Effect.succeed(true), DurableLogError: () => Effect.succeed(false) })
      )
      return spent
        ? again
        : `; neither the journal nor the store of nonces took this: a restart goes by state.json, and without it may still begin it, until ${
          new Date(op.exp).toISOString()
        }`
    })

  const unreported = (error: { readonly message: string }) =>
    Effect.logError("the journal can't be written, so an op's end is looked for or told again", error.message)

  const settle = (known: KnownOp, { detail, end, upid }: Ended, journalled: boolean) =>
    Effect.gen(function*() {
      const aside = journalled ? null : yield* Effect.matchEffect(journal.ended(known.id, { end, detail }), {
        onFailure: (error) => unwritten(known, end, error),
        onSuccess: () => Effect.succeed(null)
      })
      const kept = aside === null
        ? yield* news.ended(known, { end, detail }, upid)
        : yield* news.endedUnwritten(known, { end, detail: `${detail}${aside}` }, upid)
      // What only memory holds has to be told again after a restart, and the journal is where that finds it.
      if (kept) yield* Effect.catchAll(journal.reported(known.id), unreported)
    }).pipe(Effect.uninterruptible)

  /** Of one whose end was told and could not be written down then, or not for certain. What was told stands. */
  const settledBefore = ({ id, payload }: KnownOp, told: OpOutcome, written: OpOutcome | null) =>
    Effect.when(journal.ended(id, told), () => written === null).pipe(
      Effect.zipRight(news.endWritten(payload)),
      Effect.zipRight(journal.reported(id)),
      Effect.catchAll(unreported),
      Effect.uninterruptible
    )

  const stagesOf = (open: OpenOp, known: KnownOp, document: OpDocument, alone: Alone): Effect.Effect<Ended> => {
    const call = open.calls.at(-1)
    if (open.stage === "accepted" || call === undefined) return performed(known, document, alone)
    if (isLocal(known.op)) return locallyDone(known.op)
    return alone(
      open.stage === "started" && call.upid !== null
        ? awaited(known.op, call.upid)
        : lookedUp(known, call)
    )
  }

  const carriedOut = (open: OpenOp, known: KnownOp, document: OpDocument, alone: Alone) =>
    stagesOf(open, known, document, alone).pipe(
      Effect.catchAllCause((cause) =>
        Cause.isInterruptedOnly(cause)
          ? Effect.failCause(cause)
          : Effect.as(
            Effect.logError("a signed op could not be followed to its end", cause),
            unknown("the agent failed at it; look for its effect")
          )
      ),
      Effect.flatMap((ended) => settle(known, ended, false))
    )

  const run = (open: OpenOp, known: KnownOp, document: OpDocument, alone: Alone) =>
    Effect.flatMap(
      news.toldEnd(known.payload),
      Option.match({
        onSome: (told) => settledBefore(known, told, open.outcome),
        onNone: () =>
          open.outcome === null
            ? carriedOut(open, known, document, alone)
            : settle(known, { ...open.outcome, upid: open.calls.at(-1)?.upid ?? null }, true)
      })
    )
  const left = (cause: Cause.Cause<DurableLogError>) =>
    Cause.isInterruptedOnly(cause)
      ? Effect.void
      : Effect.logError("a signed op is left where it stands until the journal is opened anew", cause)

  const crypto = yield* Crypto
  const submit = (open: OpenOp): Effect.Effect<void> =>
    Option.match(decodeDocument(open.document), {
      onNone: () => Effect.logError("the journal holds an op that can't be read; it is left alone", open.op),
      onSome: ({ bytes, document, op }) =>
        Effect.flatMap(crypto.sha256(bytes), (payload) =>
          queues.add(op, (alone) =>
            Effect.catchAllCause(run(open, { id: open.op, payload, op }, document, alone), left)))
    })

  return Executor.of({
    submit,
    recover: Effect.flatMap(journal.open, (ops) => Effect.forEach(ops, submit, { discard: true })),
    waiting: Effect.sync(() => new Map(waiting)),
    queues: Effect.succeed(queues)
  })
})

export const layer: Layer.Layer<Executor, never, Needs> = Layer.scoped(Executor, make).pipe(
  Layer.ensureRequirementsType<Needs>()
)
