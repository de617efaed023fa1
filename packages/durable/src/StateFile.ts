import { HostEvent, type KnownEventKind } from "@felhom/domain/HostEvent"
import { HostEpoch, HostId } from "@felhom/domain/HostId"
import { Crypto } from "@felhom/domain/port/Crypto"
import { DurableFile, type DurableFileError } from "@felhom/domain/port/DurableFile"
import { EpochMillis } from "@felhom/domain/Time"
import { Clock, Context, Effect, Layer, Option, ParseResult, Ref, Schema } from "effect"

/** What the daemon must still know after a restart: who it is, how far its numbers went, and which events the hub lacks. */
const HostState = Schema.Struct({
  typ: Schema.Literal("felhom/state/v1"),
  hostId: HostId,
  hostEpoch: HostEpoch,
  /** The number of the last report. */
  sequence: Schema.NonNegativeInt,
  /** The number of the last event. */
  lastEvent: Schema.NonNegativeInt,
  /** Events that the hub has not acknowledged, oldest first. */
  events: Schema.Array(HostEvent),
  /** How many events were dropped because the queue was full. */
  eventsDropped: Schema.NonNegativeInt
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
 * The daemon's own state, in one file that is replaced whole. Numbers only go up. While the file can't be written (a full
 * disk, a read-only folder) the daemon goes on from memory: an agent that can't write its diary can still report.
 */
export class StateFile extends Context.Tag("felhom/durable/StateFile")<StateFile, {
  readonly host: { readonly id: HostId; readonly epoch: HostEpoch }
  /** The next report's number; on disk before it is given out. */
  readonly nextSequence: Effect.Effect<number>
  /** Numbers the events, in their order, with the present time. */
  readonly record: (events: ReadonlyArray<NewEvent>) => Effect.Effect<void>
  /** What the hub has not acknowledged, oldest first. */
  readonly pending: Effect.Effect<{ readonly events: ReadonlyArray<HostEvent>; readonly dropped: number }>
  /** Forgets the events up to and including this number. */
  readonly acknowledge: (upTo: number) => Effect.Effect<void>
  /** Why the file could not be written last time; none when it could. */
  readonly failure: Effect.Effect<Option.Option<DurableFileError>>
}>() {}

const text = { decode: new TextDecoder(), encode: new TextEncoder() }

const load = (path: string) =>
  Effect.gen(function*() {
    const files = yield* DurableFile
    const found = yield* files.read(path)
    if (Option.isSome(found)) {
      return yield* Effect.mapError(
        Schema.decodeUnknown(StateJson)(text.decode.decode(found.value)),
        (error) => new StateFileCorrupt({ path, detail: ParseResult.TreeFormatter.formatErrorSync(error) })
      )
    }
    const crypto = yield* Crypto
    const fresh: HostState = {
      typ: "felhom/state/v1",
      hostId: HostId.make(yield* crypto.randomHex(16)),
      hostEpoch: HostEpoch.make(yield* crypto.randomHex(16)),
      sequence: 0,
      lastEvent: 0,
      events: [],
      eventsDropped: 0
    }
    yield* save(path, fresh)
    return fresh
  })

const save = (path: string, state: HostState) =>
  Effect.gen(function*() {
    const files = yield* DurableFile
    const json = yield* Effect.orDie(Schema.encode(StateJson)(state))
    yield* files.replace(path, text.encode.encode(json))
  })

const appended = (state: HostState, events: ReadonlyArray<NewEvent>, at: EpochMillis): HostState => {
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

const make = (path: string) =>
  Effect.gen(function*() {
    const context = yield* Effect.context<DurableFile>()
    const state = yield* Ref.make(yield* load(path))
    const failure = yield* Ref.make(Option.none<DurableFileError>())
    const one = yield* Effect.makeSemaphore(1)

    const persist = Ref.get(state).pipe(
      Effect.flatMap((current) => save(path, current)),
      Effect.provide(context),
      Effect.matchEffect({
        onSuccess: () => Ref.set(failure, Option.none()),
        onFailure: (error) =>
          Effect.zipRight(
            Ref.set(failure, Option.some(error)),
            Effect.logError("the agent's state could not be written; going on from memory", error.message)
          )
      })
    )
    const update = (f: (state: HostState) => HostState) =>
      one.withPermits(1)(Effect.uninterruptible(Effect.tap(Ref.updateAndGet(state, f), () => persist)))

    const { hostEpoch, hostId } = yield* Ref.get(state)
    return StateFile.of({
      host: { id: hostId, epoch: hostEpoch },
      nextSequence: Effect.map(
        update((current) => ({ ...current, sequence: current.sequence + 1 })),
        (current) => current.sequence
      ),
      record: (events) =>
        events.length === 0
          ? Effect.void
          : Effect.flatMap(
            Clock.currentTimeMillis,
            (now) => Effect.asVoid(update((current) => appended(current, events, EpochMillis.make(now))))
          ),
      pending: Effect.map(Ref.get(state), (current) => ({ events: current.events, dropped: current.eventsDropped })),
      acknowledge: (upTo) =>
        Effect.flatMap(Ref.get(state), (current) =>
          current.events.some((event) => event.seq <= upTo)
            ? Effect.asVoid(update((latest) => ({
              ...latest,
              events: latest.events.filter((event) => event.seq > upTo)
            })))
            : Effect.void),
      failure: Ref.get(failure)
    })
  })

/** Opens `state.json` in the folder, or makes it for a host that starts for the first time. */
export const layer = (
  directory: string
): Layer.Layer<StateFile, StateFileCorrupt | DurableFileError, Crypto | DurableFile> =>
  Layer.effect(StateFile, make(`${directory.replace(/\/+$/, "")}/state.json`)).pipe(
    Layer.ensureRequirementsType<Crypto | DurableFile>()
  )
