import { EventSeverity, HostEvent, type KnownEventKind } from "@felhom/domain/HostEvent"
import { HostEpoch, HostId } from "@felhom/domain/HostId"
import { Crypto } from "@felhom/domain/port/Crypto"
import { DurableFile, type DurableFileError } from "@felhom/domain/port/DurableFile"
import { EpochMillis } from "@felhom/domain/Time"
import { Clock, Context, Effect, Layer, Option, ParseResult, Schema } from "effect"
import * as Turns from "./Turns.ts"

/** What was told and stands nowhere else: another life of the agent must not find out something else. */
const LastingWord = Schema.Struct({ kind: Schema.String, subject: Schema.String, message: Schema.String })
export type LastingWord = typeof LastingWord.Type

/** An event that has no number yet. */
const Unsaid = Schema.Struct({
  kind: Schema.String,
  severity: EventSeverity,
  subject: Schema.NullOr(Schema.String),
  message: Schema.String
})
type Unsaid = typeof Unsaid.Type

/** What the daemon must still know after a restart: who it is, how far its numbers went, and which events the hub lacks. */
const HostState = Schema.Struct({
  typ: Schema.Literal("felhom/state/v1"),
  hostId: HostId,
  hostEpoch: HostEpoch,
  /** The number of the last report that was saved; see `firstSequence` for those that were not. */
  sequence: Schema.NonNegativeInt,
  /** When this was written, in milliseconds since the epoch. A file of version 0.1 has none. */
  savedAt: Schema.optionalWith(EpochMillis, { default: () => EpochMillis.make(0) }),
  /** The number of the last event. */
  lastEvent: Schema.NonNegativeInt,
  /**
   * The last event number that the hub may have seen; those above it may still change. A file of version 0.1 has none: all
   * that it names may have been sent.
   */
  firmUpTo: Schema.optional(Schema.NonNegativeInt),
  /** Events that the hub has not acknowledged, oldest first. */
  events: Schema.Array(HostEvent),
  /** How many events were dropped because the queue was full. */
  eventsDropped: Schema.NonNegativeInt,
  /** What `recordLasting` was given and `settled` was not. A file of version 0.7 has none. */
  lasting: Schema.optionalWith(Schema.Array(LastingWord), { default: () => [] }),
  /** Events of `recordLasting` that become events when this file is known to hold them. A file of version 0.8.1 has none. */
  unsaid: Schema.optionalWith(Schema.Array(Unsaid), { default: () => [] })
})
type HostState = typeof HostState.Type

const StateJson = Schema.parseJson(HostState)

/** The state file is there and can't be read as one. It is never overwritten: it holds who this host is. */
export class StateFileCorrupt extends Schema.TaggedError<StateFileCorrupt>()("StateFileCorrupt", {
  path: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `${this.path} is not the state of a felhom-agent: ${this.detail}. Restore it from a copy, or move it away: ` +
      "the agent then starts as a new host, with a new host id"
  }
}

/** An event before it has a number. */
export interface NewEvent {
  readonly kind: KnownEventKind
  readonly severity: HostEvent["severity"]
  readonly subject: string | null
  readonly message: string
}

/** At most this many events wait for a hub that is away; beyond it the oldest go, and are counted. */
export const eventCapacity = 1000

/**
 * The daemon's own state, in one file that is replaced whole. While the file can't be written (a full disk, a read-only
 * folder) the daemon goes on from memory and says so with an event: an agent that can't write its diary can still report.
 *
 * Numbers given out meanwhile are not on disk, and the next start must not give them out again. A report's number goes up by
 * less than one a second, so after a start it is moved on by the seconds since the file was written. Events are numbered
 * without gaps, so those of a start wait until the hub has answered once: what it acknowledged beyond the file's own last
 * number was sent and not saved, and they are numbered after it.
 */
export class StateFile extends Context.Tag("felhom/durable/StateFile")<StateFile, {
  readonly host: { readonly id: HostId; readonly epoch: HostEpoch }
  /** The next report's number, above every one that was given out before; on disk first, if the disk can be written. */
  readonly nextSequence: Effect.Effect<number>
  /** Takes the events in, in their order, with the present time. */
  readonly record: (events: ReadonlyArray<NewEvent>) => Effect.Effect<void>
  /**
   * Takes in an event that must not be told and then forgotten: its words are kept until its subject is settled, also when the
   * hub has it or the queue was full, and the hub hears of it only when they are on the disk. False: they are not there yet.
   */
  readonly recordLasting: (event: NewEvent & { readonly subject: string }) => Effect.Effect<boolean>
  /** The words that are kept, in the order in which they were recorded, by this life of the agent or an earlier one. */
  readonly lasting: Effect.Effect<ReadonlyArray<LastingWord>>
  /** Forgets what is kept of the subject: it stands elsewhere now. */
  readonly settled: (subject: string) => Effect.Effect<void>
  /**
   * What the hub has not acknowledged and may be sent, oldest first. Until the hub has answered once since the start, these are
   * only the events that have had their numbers since before.
   */
  readonly pending: Effect.Effect<{ readonly events: ReadonlyArray<HostEvent>; readonly dropped: number }>
  /**
   * Takes the hub's answer: it has all events up to and including this number, and they are forgotten. `sent` is the last number
   * in the report that it answers, 0 without any: what was recorded since then no hub can have, whatever it says.
   */
  readonly acknowledge: (upTo: number, sent: number) => Effect.Effect<void>
  /** Why the file could not be written last time; none when it could. */
  readonly failure: Effect.Effect<Option.Option<DurableFileError>>
}>() {}

const text = { decode: new TextDecoder(), encode: new TextEncoder() }

const load = (path: string) =>
  Effect.gen(function*() {
    const files = yield* DurableFile
    const found = yield* files.read(path)
    if (Option.isSome(found)) {
      const state = yield* Effect.mapError(
        Schema.decodeUnknown(StateJson)(text.decode.decode(found.value)),
        (error) => new StateFileCorrupt({ path, detail: ParseResult.TreeFormatter.formatErrorSync(error) })
      )
      return { state, unsure: Option.some(state.firmUpTo ?? state.lastEvent) }
    }
    const crypto = yield* Crypto
    const fresh: HostState = {
      typ: "felhom/state/v1",
      hostId: HostId.make(yield* crypto.randomHex(16)),
      hostEpoch: HostEpoch.make(yield* crypto.randomHex(16)),
      sequence: 0,
      savedAt: EpochMillis.make(yield* Clock.currentTimeMillis),
      lastEvent: 0,
      firmUpTo: 0,
      events: [],
      eventsDropped: 0,
      lasting: [],
      unsaid: []
    }
    yield* files.replace(path, bytesOf(fresh))
    // Nobody has heard of this host yet, so no number can have been used.
    return { state: fresh, unsure: Option.none<number>() }
  })

// A state is what it is encoded to, as the types say: a schema would only look at each value once more.
const bytesOf = (state: typeof HostState.Encoded): Uint8Array => text.encode.encode(JSON.stringify(state))

const appended = (state: HostState, events: ReadonlyArray<Unsaid>, at: EpochMillis): HostState => {
  const numbered = events.map((event, index) => ({
    ...event,
    subject: event.subject?.slice(0, 256) ?? null,
    message: event.message.slice(0, 2048),
    seq: state.lastEvent + index + 1,
    at
  }))
  const all = [...state.events, ...numbered]
  const excess = Math.max(0, all.length - eventCapacity)
  return {
    ...state,
    lastEvent: state.lastEvent + events.length,
    events: all.slice(excess),
    eventsDropped: state.eventsDropped + excess
  }
}

/** Where reports are counted on from, after a start: above whatever may have been given out and not been saved. */
const firstSequence = (state: HostState, now: number): number =>
  state.sequence + Math.max(0, state.savedAt === 0 ? 0 : Math.ceil((now - state.savedAt) / 1000))

// A hub that acknowledges what nobody ever sent moves the numbers on; it can't move them out of what a number can hold.
const farthestJump = 1_000_000

/** Moves the numbers of all events that the hub can't have seen yet behind what it acknowledged. */
const behind = (state: HostState, firmUpTo: number, acknowledged: number): HostState => {
  const by = Math.min(farthestJump, Math.max(0, acknowledged - firmUpTo))
  return by === 0 ? state : {
    ...state,
    lastEvent: state.lastEvent + by,
    events: state.events.map((event) => (event.seq > firmUpTo ? { ...event, seq: event.seq + by } : event))
  }
}

const unwritable = (error: DurableFileError): NewEvent => ({
  kind: "state.unwritable",
  severity: "critical",
  subject: null,
  message: `the agent can't keep its state and goes on from memory: ${error.message}`
})

const writable: NewEvent = {
  kind: "state.recovered",
  severity: "info",
  subject: null,
  message: "the agent can keep its state again; nothing was forgotten meanwhile"
}

/** Opens `state.json` in the folder, or makes it for a host that starts for the first time. */
export const make = (
  directory: string
): Effect.Effect<Context.Tag.Service<StateFile>, StateFileCorrupt | DurableFileError, Crypto | DurableFile> =>
  Effect.gen(function*() {
    const files = yield* DurableFile
    const clock = yield* Effect.clock
    const now = () => EpochMillis.make(clock.unsafeCurrentTimeMillis())
    const path = `${directory.replace(/\/+$/, "")}/state.json`
    const loaded = yield* load(path)
    let state: HostState = { ...loaded.state, sequence: firstSequence(loaded.state, now()) }
    // The last number that may have been sent, until the hub has answered; from then on every number may be.
    let { unsure } = loaded
    let failure = Option.none<DurableFileError>()
    const turns = Turns.make()

    const write = Effect.suspend(() => {
      const firmUpTo = Option.getOrElse(unsure, () => state.lastEvent)
      return files.replace(path, bytesOf({ ...state, savedAt: now(), firmUpTo }))
    })

    const note = (event: NewEvent): void => {
      state = appended(state, [event], now())
    }

    // Told once when it begins and once when it is over, not at each write.
    const persist = Effect.matchEffect(write, {
      onSuccess: () => {
        const isRecovered = Option.isSome(failure)
        if (!isRecovered && state.unsaid.length === 0) return Effect.void
        failure = Option.none()
        state = { ...appended(state, state.unsaid, now()), unsaid: [] }
        if (isRecovered) note(writable)
        return Effect.when(Effect.logInfo(writable.message), () => isRecovered).pipe(
          Effect.zipRight(write),
          Effect.catchAll((error) =>
            Effect.sync(() => {
              failure = Option.some(error)
            })
          )
        )
      },
      onFailure: (error) => {
        const before = failure
        failure = Option.some(error)
        if (Option.isSome(before)) return Effect.void
        note(unwritable(error))
        return Effect.logError(unwritable(error).message)
      }
    })
    /** Takes what `change` makes of the state, and writes it; nothing is written where that is nothing. */
    const update = (change: () => HostState | undefined): Effect.Effect<void> =>
      Effect.uninterruptible(turns.alone(Effect.suspend(() => {
        const changed = change()
        if (changed === undefined) return Effect.void
        state = changed
        return persist
      })))

    const { hostEpoch, hostId } = loaded.state
    return StateFile.of({
      host: { id: hostId, epoch: hostEpoch },
      nextSequence: Effect.suspend(() => {
        let sequence = 0
        const counted = update(() => {
          sequence = state.sequence + 1
          return { ...state, sequence }
        })
        return Effect.map(counted, () => sequence)
      }),
      record: (events) => (events.length === 0 ? Effect.void : update(() => appended(state, events, now()))),
      recordLasting: (event) =>
        Effect.map(
          update(() => {
            const { kind, message, subject } = event
            const lasting = [...state.lasting, { kind, subject, message }]
            return { ...state, lasting, unsaid: [...state.unsaid, event] }
          }),
          () => !state.unsaid.includes(event)
        ),
      lasting: Effect.sync(() => state.lasting),
      settled: (subject) =>
        update(() => {
          const lasting = state.lasting.filter((word) => word.subject !== subject)
          return lasting.length === state.lasting.length ? undefined : { ...state, lasting }
        }),
      pending: Effect.sync(() => {
        const firmUpTo = Option.getOrElse(unsure, () => Infinity)
        return { events: state.events.filter((event) => event.seq <= firmUpTo), dropped: state.eventsDropped }
      }),
      acknowledge: (upTo, sent) =>
        update(() => {
          const firm = unsure
          const has = Math.min(upTo, sent)
          unsure = Option.none()
          if (Option.isNone(firm) && !state.events.some((event) => event.seq <= has)) return undefined
          const settled = Option.isNone(firm) ? state : behind(state, firm.value, upTo)
          return { ...settled, events: settled.events.filter((event) => event.seq > has) }
        }),
      failure: Effect.sync(() => failure)
    })
  })

/** The state that `make` opens. */
export const layer = (
  directory: string
): Layer.Layer<StateFile, StateFileCorrupt | DurableFileError, Crypto | DurableFile> =>
  Layer.effect(StateFile, make(directory)).pipe(
    Layer.ensureRequirementsType<Crypto | DurableFile>()
  )
