import type { OpId } from "@felhom/domain/OpId"
import type { Crypto } from "@felhom/domain/port/Crypto"
import type { FileSteps } from "@felhom/domain/port/FileSteps"
import { formatGuestRef } from "@felhom/domain/ProxmoxId"
import type { TaskOutcome } from "@felhom/domain/TaskOutcome"
import { EpochMillis } from "@felhom/domain/Time"
import type { Upid } from "@felhom/domain/Upid"
import type { Destruction, Mandate, SnapshotDestruction } from "@felhom/mandate/Mandate"
import { MandateMint } from "@felhom/mandate/Mandate"
import { Clock, Context, Effect, Either, Layer, Schema, type Scope } from "effect"
import { type DesiredJournal, type GuestDestruction, makeDesiredJournal, type Written } from "./DesiredJournal.ts"
import * as DurableLog from "./DurableLog.ts"
import type { DurableLogError } from "./DurableLogError.ts"
import { NotOurs, OpOutOfOrder } from "./JournalError.ts"
import { journalLogName, journalOf } from "./JournalReading.ts"
import { type AcceptedOp, JournalRecord, type MadeGuest, type MadeObject } from "./JournalRecord.ts"
import { applied, emptyJournal, formatMade, type JournalState, type OpenOp, recordsOf } from "./JournalState.ts"
import type { IntendedCall, OpOutcome } from "./JournalWords.ts"

/**
 * What this agent is doing, from the moment that an op was accepted until its end was reported; and what it made itself, known
 * from awaited tasks and never from a name, tag or description, which anybody can write: the only source of `own` mandates.
 *
 * Each step is on the disk before it answers. After a crash `open` says what was under way: an op at the stage `intent` may
 * have been sent or not, which only the host's list of tasks can tell, and is never sent again.
 */
export class OpJournal extends Context.Tag("felhom/durable/OpJournal")<OpJournal, {
  /** Takes an op on. Refused while there is too little space left to write it to its end. */
  readonly accepted: (op: AcceptedOp) => Written
  /** The call is made right after this. */
  readonly intent: (op: OpId, call: IntendedCall) => Written
  /** Proxmox answered the call with this UPID. */
  readonly started: (op: OpId, upid: Upid) => Written
  readonly ended: (op: OpId, outcome: OpOutcome) => Written
  /** Its end is known to the hub, or is on its way in the durable queue of events: here only its id stays, for a while. */
  readonly reported: (op: OpId) => Written
  /** Whether it was taken on, now or before. */
  readonly isKnown: (op: OpId) => Effect.Effect<boolean, DurableLogError>
  /** All ops that were accepted and not yet reported, oldest first. */
  readonly open: Effect.Effect<ReadonlyArray<OpenOp>, DurableLogError>
  /** Records the object if the task that makes it is known to have done so; any other outcome records nothing. */
  readonly made: (object: MadeObject, outcome: TaskOutcome) => Effect.Effect<void, DurableLogError>
  /**
   * The mandate for one destruction of a snapshot on record. One that deletes is written down before; after a restart in the
   * middle of it there is no second mandate, as the name may be somebody else's by then.
   */
  readonly own: (destruction: SnapshotDestruction) => Effect.Effect<Mandate, NotOurs | DurableLogError>
  /** The same for a guest on record, which must still have the identity that it was made with. */
  readonly ownGuest: (
    destruction: GuestDestruction,
    identity: string
  ) => Effect.Effect<Mandate, NotOurs | DurableLogError>
  /** The object was seen to be gone: what has its name from now on is not ours. */
  readonly gone: (object: MadeObject) => Effect.Effect<void, DurableLogError>
  /** What is done for a desired state, on the same log. */
  readonly desired: DesiredJournal
}>() {}

const RecordJson = Schema.parseJson(JournalRecord)
const text = new TextEncoder()
const encodeRecord = (record: JournalRecord): Effect.Effect<Uint8Array> =>
  Effect.map(Effect.orDie(Schema.encode(RecordJson)(record)), (json) => text.encode(json))
const encodeRecordSync = Schema.encodeSync(RecordJson)

/** Where records go to, and what the file holds at present. */
interface Paper {
  readonly write: (record: JournalRecord) => Effect.Effect<void, DurableLogError>
  readonly hasRoom: Effect.Effect<void, DurableLogError>
  /** Writes the file anew, if it has become much larger than what it must hold. */
  readonly shorten: (state: JournalState) => Effect.Effect<void, DurableLogError>
}

const makeOn = (
  mint: typeof MandateMint.Service,
  paper: Paper,
  found: JournalState
): Effect.Effect<typeof OpJournal.Service> =>
  Effect.gen(function*() {
    let state = found
    const one = yield* Effect.makeSemaphore(1)
    // Only what was begun before this start is in doubt; what this process began, it knows the end of.
    const inDoubt = new Set([...found.made].flatMap(([key, { removing }]) => (removing ? [key] : [])))

    const put = (record: JournalRecord): Written =>
      one.withPermits(1)(Effect.uninterruptible(Effect.gen(function*() {
        const next = yield* Either.mapLeft(applied(state, record), (detail) => new OpOutOfOrder({ detail }))
        yield* paper.write(record)
        state = next
        yield* paper.shorten(next)
      })))
    const at = Effect.map(Clock.currentTimeMillis, (now) => EpochMillis.make(now))
    /** For records that can always follow. */
    const note = (record: JournalRecord) => Effect.catchTag(put(record), "OpOutOfOrder", Effect.die)

    const right = (object: MadeObject, destruction: Destruction, shown: string, removes: boolean) =>
      Effect.gen(function*() {
        const key = formatMade(object)
        const held = state.made.get(key)
        if (held === undefined) return yield* new NotOurs({ object: shown })
        if (inDoubt.has(key)) return yield* new NotOurs({ object: shown, removalBegun: true })
        if (removes) yield* note({ _tag: "removing", object: held.object })
        return yield* mint.own(destruction, held.upid)
      })

    return OpJournal.of({
      accepted: (op) => Effect.zipRight(paper.hasRoom, Effect.flatMap(at, (at) => put({ _tag: "accepted", at, op }))),
      intent: (op, call) => Effect.flatMap(at, (at) => put({ _tag: "intent", at, op, call })),
      started: (op, upid) => Effect.flatMap(at, (at) => put({ _tag: "started", at, op, upid })),
      ended: (op, outcome) => Effect.flatMap(at, (at) => put({ _tag: "ended", at, op, outcome })),
      reported: (op) => put({ _tag: "reported", op }),
      isKnown: (op) => Effect.sync(() => state.ops.has(op) || state.past.has(op)),
      open: Effect.sync(() => [...state.ops.values()]),
      made: (object, outcome) => {
        const done = outcome._tag === "ok" || outcome._tag === "warnings"
        const upid = done ? outcome.upid : null
        if (upid === null) return Effect.void
        return Effect.zipRight(
          Effect.sync(() => inDoubt.delete(formatMade(object))),
          note({ _tag: "made", object, upid })
        )
      },
      own: (destruction) => {
        const object = { guest: destruction.guest, snapshot: destruction.snapshot }
        return right(object, destruction, formatMade(object), destruction.op === "snapshot.delete")
      },
      ownGuest: (destruction, identity) => {
        const object: MadeGuest = { guest: destruction.guest, identity }
        return right(object, destruction, formatGuestRef(destruction.guest), true)
      },
      gone: (object) =>
        Effect.suspend(() => state.made.has(formatMade(object)) ? note({ _tag: "gone", object }) : Effect.void),
      desired: makeDesiredJournal({ put, hasRoom: paper.hasRoom, state: () => state, mint })
    })
  })

/**
 * Keeps its record in memory: enough for a program that removes what it made before it ends, like the selftests. After a
 * crash such leftovers are not ours any more, and are reported instead of removed.
 */
export const layerMemory: Layer.Layer<OpJournal, never, MandateMint> = Layer.effect(
  OpJournal,
  Effect.flatMap(
    MandateMint,
    (mint) => makeOn(mint, { write: () => Effect.void, hasRoom: Effect.void, shorten: () => Effect.void }, emptyJournal)
  )
).pipe(Layer.ensureRequirementsType<MandateMint>())

const encoded = (state: JournalState): ReadonlyArray<Uint8Array> =>
  recordsOf(state).map((record) => text.encode(encodeRecordSync(record)))

// A file that has grown to this many times of what it was is rewritten; below the size, it is not worth it.
const rewriteFactor = 2
const rewriteFrom = 256 * 1024

const openJournal = (directory: string, broken?: DurableLog.Broken) =>
  Effect.gen(function*() {
    const mint = yield* MandateMint
    const name = journalLogName
    const { loaded, log } = yield* DurableLog.open({
      directory,
      name,
      load: journalOf(`${directory}/${name}.log`),
      keep: encoded,
      broken
    })
    let sizeAtRewrite = yield* log.size
    const shorten = (state: JournalState) =>
      Effect.gen(function*() {
        const size = yield* log.size
        if (size < rewriteFrom || size < rewriteFactor * sizeAtRewrite) return
        yield* log.rewrite(encoded(state))
        sizeAtRewrite = yield* log.size
      })
    const write = (record: JournalRecord) => Effect.flatMap(encodeRecord(record), log.append)
    return yield* makeOn(mint, { write, hasRoom: log.hasRoom, shorten }, loaded)
  })

type Journal = typeof OpJournal.Service

/** Keeps `journal.log` in the state folder, whose lock the caller holds. Opened at the first use. */
export const make = (
  directory: string,
  broken?: DurableLog.Broken
): Effect.Effect<Journal, never, FileSteps | Crypto | MandateMint | Scope.Scope> =>
  Effect.map(DurableLog.openOnce(openJournal(directory, broken)), (opened) => {
    const use = <A, E>(f: (journal: Journal) => Effect.Effect<A, E>) => Effect.flatMap(opened, f)
    return OpJournal.of({
      accepted: (op) => use((journal) => journal.accepted(op)),
      intent: (op, call) => use((journal) => journal.intent(op, call)),
      started: (op, upid) => use((journal) => journal.started(op, upid)),
      ended: (op, outcome) => use((journal) => journal.ended(op, outcome)),
      reported: (op) => use((journal) => journal.reported(op)),
      isKnown: (op) => use((journal) => journal.isKnown(op)),
      open: use((journal) => journal.open),
      made: (object, outcome) => use((journal) => journal.made(object, outcome)),
      own: (destruction) => use((journal) => journal.own(destruction)),
      ownGuest: (destruction, identity) => use((journal) => journal.ownGuest(destruction, identity)),
      gone: (object) => use((journal) => journal.gone(object)),
      desired: {
        begun: (step) => use(({ desired }) => desired.begun(step)),
        started: (step, upid) => use(({ desired }) => desired.started(step, upid)),
        ended: (step, outcome) => use(({ desired }) => desired.ended(step, outcome)),
        told: (step) => use(({ desired }) => desired.told(step)),
        open: use(({ desired }) => desired.open),
        counts: use(({ desired }) => desired.counts),
        chosen: (key, guest, call) => use(({ desired }) => desired.chosen(key, guest, call)),
        called: (key, upid) => use(({ desired }) => desired.called(key, upid)),
        stands: (key, identity) => use(({ desired }) => desired.stands(key, identity)),
        starting: (key) => use(({ desired }) => desired.starting(key)),
        proven: (key) => use(({ desired }) => desired.proven(key)),
        forgotten: (key) => use(({ desired }) => desired.forgotten(key)),
        ownMade: (key, destruction, identity) => use(({ desired }) => desired.ownMade(key, destruction, identity)),
        guests: use(({ desired }) => desired.guests)
      }
    })
  })

/** What `make` keeps. */
export const layer = (directory: string): Layer.Layer<OpJournal, never, FileSteps | Crypto | MandateMint> =>
  Layer.scoped(OpJournal, make(directory)).pipe(Layer.ensureRequirementsType<FileSteps | Crypto | MandateMint>())
