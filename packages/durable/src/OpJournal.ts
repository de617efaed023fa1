import { formatGuestRef, type GuestRef, type SnapshotName } from "@felhom/domain/ProxmoxId"
import type { TaskOutcome } from "@felhom/domain/TaskOutcome"
import type { Upid } from "@felhom/domain/Upid"
import type { Mandate, SnapshotDestruction } from "@felhom/mandate/Mandate"
import { MandateMint } from "@felhom/mandate/Mandate"
import { Context, Effect, Layer, Ref, Schema } from "effect"

/** The journal holds no record that this agent made the object, so it has no right to destroy it. */
export class NotOurs extends Schema.TaggedError<NotOurs>()("NotOurs", { object: Schema.String }) {
  override get message(): string {
    return `no record that this agent made ${this.object}; it is left alone`
  }
}

/** The only thing that the agent makes by itself so far. */
export interface MadeSnapshot {
  readonly guest: GuestRef
  readonly snapshot: SnapshotName
}

/**
 * What this agent made itself, known from awaited tasks and never from a name, tag or description, which anybody can write.
 * It is the only source of `own` mandates.
 */
export class OpJournal extends Context.Tag("felhom/durable/OpJournal")<OpJournal, {
  /** Records the object if the task that makes it is known to have done so; any other outcome records nothing. */
  readonly made: (object: MadeSnapshot, outcome: TaskOutcome) => Effect.Effect<void>
  /** The mandate for one destruction of an object on record. */
  readonly own: (destruction: SnapshotDestruction) => Effect.Effect<Mandate, NotOurs>
}>() {}

const keyOf = (object: MadeSnapshot): string => `${formatGuestRef(object.guest)} snapshot ${object.snapshot}`

/**
 * Keeps its record in memory: enough for a program that removes what it made before it ends, like the selftests. After a
 * crash such leftovers are not ours any more, and are reported instead of removed.
 */
export const layerMemory: Layer.Layer<OpJournal, never, MandateMint> = Layer.effect(
  OpJournal,
  Effect.gen(function*() {
    const mint = yield* MandateMint
    const record = yield* Ref.make<ReadonlyMap<string, Upid>>(new Map())
    return OpJournal.of({
      made: (object, outcome) => {
        const done = outcome._tag === "ok" || outcome._tag === "warnings"
        const upid = done ? outcome.upid : null
        return upid === null ? Effect.void : Ref.update(record, (map) => new Map(map).set(keyOf(object), upid))
      },
      own: (destruction) =>
        Effect.flatMap(Ref.get(record), (map) => {
          const madeBy = map.get(keyOf(destruction))
          return madeBy === undefined
            ? Effect.fail(new NotOurs({ object: keyOf(destruction) }))
            : mint.own(destruction, madeBy)
        })
    })
  })
).pipe(Layer.ensureRequirementsType<MandateMint>())
