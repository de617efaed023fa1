import { formatGuestRef, type GuestRef } from "@felhom/domain/ProxmoxId"
import { EpochMillis } from "@felhom/domain/Time"
import type { Upid } from "@felhom/domain/Upid"
import { type Destruction, type Mandate, type MandateMint } from "@felhom/mandate/Mandate"
import { Clock, Effect } from "effect"
import type { DurableLogError } from "./DurableLogError.ts"
import { NotOurs, type OpOutOfOrder } from "./JournalError.ts"
import type { JournalRecord } from "./JournalRecord.ts"
import type { JournalState } from "./JournalState.ts"
import type { IntendedCall, OpOutcome } from "./JournalWords.ts"
import type { Making } from "./MakingState.ts"
import type { BegunStep, StepId } from "./StepRecord.ts"
import type { OpenStep, StepCounts } from "./StepState.ts"

/** The destruction of a whole guest. */
export type GuestDestruction = Extract<Destruction, { readonly op: "guest.destroy" }>

/** On the disk when it answers. */
export type Written = Effect.Effect<void, OpOutOfOrder | DurableLogError>

/**
 * What this host does for a desired state: steps of a plan, what they count for against the host's caps, and the guests that it
 * makes. Each step is on the disk before it answers; a crash leaves open what was under way, and nothing of it is sent again.
 */
export interface DesiredJournal {
  /**
   * A step is begun: what it counts for and the call that follows at once, in one record. Refused while the same step is open, and
   * while there is too little space left to write it to its end.
   */
  readonly begun: (step: BegunStep) => Written
  /** Proxmox answered the call with this UPID, or its task was found. */
  readonly started: (step: StepId, upid: Upid) => Written
  readonly ended: (step: StepId, outcome: OpOutcome) => Written
  /** Its end is in the durable queue of events: it is forgotten, and only counts. */
  readonly told: (step: StepId) => Written
  /** All steps that are begun and not told of, oldest first. */
  readonly open: Effect.Effect<ReadonlyArray<OpenStep>, DurableLogError>
  readonly counts: Effect.Effect<StepCounts, DurableLogError>
  /**
   * The number under which a guest is to be made, and the call, before that. Another number may follow as long as no task of it is
   * known.
   */
  readonly chosen: (key: string, guest: GuestRef, call: IntendedCall) => Written
  /** The task that makes it: Proxmox's answer, or found by looking it up. */
  readonly called: (key: string, upid: Upid) => Written
  /** The task is over, and has left a guest with this identity, as one text; a later reading of the same takes its place. */
  readonly stands: (key: string, identity: string) => Written
  /** Before its first start is asked for: from then on nothing may remove it on the agent's own word. */
  readonly starting: (key: string) => Written
  /** It is what it should be. Its key is taken for good. */
  readonly proven: (key: string) => Written
  /** Nothing of it is there, as was seen; its key is free again. Refused for one that may have been started. */
  readonly forgotten: (key: string) => Written
  /**
   * The mandate to remove a guest that was made by half and never started, while it is still who it was when it was read. Its
   * removal is written down before; after a restart in the middle of it there is no second mandate.
   */
  readonly ownMade: (
    key: string,
    destruction: GuestDestruction,
    identity: string
  ) => Effect.Effect<Mandate, NotOurs | DurableLogError>
  /** All guests that were made or are being made, oldest first. */
  readonly guests: Effect.Effect<ReadonlyArray<Making>, DurableLogError>
}

/** The journal that it is a part of. */
export interface Within {
  readonly put: (record: JournalRecord) => Written
  readonly hasRoom: Effect.Effect<void, DurableLogError>
  readonly state: () => JournalState
  readonly mint: typeof MandateMint.Service
}

/** Over what the journal holds at its start. */
export const makeDesiredJournal = ({ hasRoom, mint, put, state }: Within): DesiredJournal => {
  // Only what was begun before this start is in doubt; what this process began, it knows the end of.
  const inDoubt = new Set([...state().makings.values()].filter(({ removing }) => removing).map(({ key }) => key))
  const at = Effect.map(Clock.currentTimeMillis, (now) => EpochMillis.make(now))
  return {
    begun: (step) => Effect.zipRight(hasRoom, Effect.flatMap(at, (at) => put({ _tag: "step.begun", at, step }))),
    started: (step, upid) => put({ _tag: "step.started", step, upid }),
    ended: (step, outcome) => Effect.flatMap(at, (at) => put({ _tag: "step.ended", at, step, outcome })),
    told: (step) => put({ _tag: "step.told", step }),
    open: Effect.sync(() => [...state().pursuit.steps.values()]),
    counts: Effect.sync(() => state().pursuit.counts),
    chosen: (key, guest, call) => Effect.flatMap(at, (at) => put({ _tag: "making.chosen", at, key, guest, call })),
    called: (key, upid) => put({ _tag: "making.called", key, upid }),
    stands: (key, identity) => put({ _tag: "making.stands", key, identity }),
    starting: (key) => put({ _tag: "making.starting", key }),
    proven: (key) => put({ _tag: "making.proven", key }),
    forgotten: (key) => Effect.zipLeft(put({ _tag: "making.forgotten", key }), Effect.sync(() => inDoubt.delete(key))),
    ownMade: (key, destruction, identity) =>
      Effect.gen(function*() {
        const notOurs = new NotOurs({ object: formatGuestRef(destruction.guest), removalBegun: inDoubt.has(key) })
        const held = state().makings.get(key)
        if (held === undefined || held.stage !== "half-made" || held.upid === null) return yield* notOurs
        if (held.identity !== identity || formatGuestRef(held.guest) !== formatGuestRef(destruction.guest)) {
          return yield* notOurs
        }
        if (inDoubt.has(key)) return yield* notOurs
        if (!held.removing) {
          yield* Effect.catchTag(put({ _tag: "making.removing", key }), "OpOutOfOrder", Effect.die)
        }
        return yield* mint.own(destruction, held.upid)
      }),
    guests: Effect.sync(() => [...state().makings.values()])
  }
}
