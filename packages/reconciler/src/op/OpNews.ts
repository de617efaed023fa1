import type { VerifiedOp } from "@felhom/authz/Authz"
import type { OpRefused } from "@felhom/authz/OpRefused"
import type { OpId } from "@felhom/domain/OpId"
import { opSubject, opWords } from "@felhom/domain/OpWords"
import type { Sha256Hex } from "@felhom/domain/Sha256"
import type { SignedOp } from "@felhom/domain/SignedOp"
import type { Upid } from "@felhom/domain/Upid"
import type { AuditChain } from "@felhom/durable/AuditChain"
import type { DurableLogError } from "@felhom/durable/DurableLogError"
import type { OpOutcome } from "@felhom/durable/JournalWords"
import { StateFile } from "@felhom/durable/StateFile"
import { Array as Arr, Context, Effect, Layer, Option, Queue } from "effect"
import { line, makeTelling } from "../Telling.ts"

/** An op that was taken on, by the names that it goes by. */
export interface KnownOp {
  readonly id: OpId
  readonly payload: Sha256Hex
  readonly op: SignedOp
}

/**
 * Tells of signed ops: an event for the hub, whose subject is the SHA-256 of the op's payload, and an entry of the audit chain.
 * An event is in the durable queue when it answers.
 */
export class OpNews extends Context.Tag("felhom/reconciler/OpNews")<OpNews, {
  /** Fails where it can't be written into the audit chain: such an op is not taken on. */
  readonly audited: (op: VerifiedOp, id: OpId) => Effect.Effect<void, DurableLogError>
  readonly accepted: (op: VerifiedOp) => Effect.Effect<void>
  /** `subject` is the hash that the hub knows it by. */
  readonly refused: (error: OpRefused, subject: string) => Effect.Effect<void>
  /** It is at the head of its queue, and something else has its target. */
  readonly waiting: (op: KnownOp, why: string) => Effect.Effect<void>
  readonly started: (op: KnownOp, upid: Upid) => Effect.Effect<void>
  /** False: the event waits for the hub in memory only, as the disk did not take it, and a restart has to tell it once more. */
  readonly ended: (op: KnownOp, outcome: OpOutcome, upid: Upid | null) => Effect.Effect<boolean>
  /**
   * As `ended`, of an end that the journal did not take: what was told is remembered until it has. While the queue of events
   * does not take it either it is told as what waits, and not as an end: after a restart nobody would know it.
   */
  readonly endedUnwritten: (op: KnownOp, outcome: OpOutcome, upid: Upid | null) => Effect.Effect<boolean>
  /** How it was told to have ended and was not written: by this life of the agent or an earlier one. */
  readonly toldEnd: (payload: Sha256Hex) => Effect.Effect<Option.Option<OpOutcome>>
  /** The journal holds that end now. */
  readonly endWritten: (payload: Sha256Hex) => Effect.Effect<void>
  readonly held: (by: string, reason: string) => Effect.Effect<void>
  readonly released: (by: string, reason: string) => Effect.Effect<void>
  /** Ends when there is something that the hub should hear of at once. */
  readonly urgent: Effect.Effect<void>
}>() {}

const endEvents = {
  finished: { kind: "op.finished", severity: "info" },
  failed: { kind: "op.failed", severity: "warning" },
  unknown: { kind: "op.unknown", severity: "critical" }
} as const

const endOfKind: ReadonlyMap<string, OpOutcome["end"]> = new Map([
  ["op.finished", "finished"],
  ["op.failed", "failed"],
  ["op.unknown", "unknown"]
])

/** Into the durable queue of events and the audit chain. */
export const make: Effect.Effect<typeof OpNews.Service, never, StateFile | AuditChain> = Effect.gen(function*() {
  const { chain, note, tell, tellLasting } = yield* makeTelling
  const state = yield* StateFile
  const bell = yield* Queue.sliding<void>(1)
  const ring = Queue.offer(bell, undefined)

  const endOf = ({ op, payload }: KnownOp, { detail, end }: OpOutcome) => ({
    ...endEvents[end],
    subject: payload,
    message: line(`${end}: ${opWords(op)}: ${detail}`)
  })
  const waits = ({ op, payload }: KnownOp, why: string): Effect.Effect<void> =>
    Effect.zipRight(
      tell({ kind: "op.waiting", severity: "info", subject: payload, message: line(`waits: ${opWords(op)}: ${why}`) }),
      ring
    )
  // Each write holds all events, so the last one that was written holds this one.
  const isKept = Effect.map(state.failure, Option.isNone)
  const noted = ({ id }: KnownOp, { detail, end }: OpOutcome, upid: Upid | null) =>
    note({ _tag: "op.finished", op: id, end, upid, detail })

  return OpNews.of({
    audited: ({ op, payload, principals }, id) =>
      Effect.asVoid(
        chain.append({ _tag: "op.accepted", op: id, action: op.op, subject: opSubject(op), principals, payload })
      ),
    accepted: ({ op, payload, principals }) =>
      Effect.zipRight(
        tell({
          kind: "op.accepted",
          severity: "info",
          subject: payload,
          message: line(`accepted, signed by ${principals.join(", ")}: ${opWords(op)} (${op.reason})`)
        }),
        ring
      ),
    // Nobody has vouched for what was refused, so it does not have the hub asked at once: that could be made a flood.
    refused: (error, subject) =>
      Effect.zipRight(
        note({
          _tag: "op.refused",
          action: error.action,
          subject: error.subject,
          payload: error.payload,
          reason: error.reason,
          detail: error.detail
        }),
        tell({
          kind: "op.refused",
          severity: "warning",
          subject,
          message: line(
            error.action === null
              ? error.message
              : `${error.action}${error.subject === null ? "" : ` of ${error.subject}`} ${error.message}`
          )
        })
      ),
    waiting: waits,
    started: ({ op, payload }, upid) =>
      tell({
        kind: "op.started",
        severity: "info",
        subject: payload,
        message: line(`begun: ${opWords(op)} (${upid})`)
      }),
    ended: (known, outcome, upid) =>
      noted(known, outcome, upid).pipe(
        Effect.zipRight(tell(endOf(known, outcome))),
        Effect.zipRight(ring),
        Effect.zipRight(isKept)
      ),
    endedUnwritten: (known, outcome, upid) =>
      noted(known, outcome, upid).pipe(
        Effect.zipRight(tellLasting(endOf(known, outcome))),
        Effect.flatMap((told) =>
          told
            ? ring
            : waits(
              known,
              `for the disk to take its end, or for a restart to find out: ${outcome.end}: ${outcome.detail}`
            )
        ),
        Effect.zipRight(isKept)
      ),
    toldEnd: (payload) =>
      Effect.map(state.lasting, (words) =>
        Option.map(
          Arr.findLast(words, ({ kind, subject }) => subject === payload && endOfKind.has(kind)),
          ({ kind, message }) => ({ end: endOfKind.get(kind) ?? "unknown", detail: message })
        )),
    endWritten: state.settled,
    held: (by, reason) =>
      note({ _tag: "hold.set", by, reason }).pipe(
        Effect.zipRight(
          tell({ kind: "hold.set", severity: "warning", subject: null, message: line(`held by ${by}: ${reason}`) })
        ),
        Effect.zipRight(ring)
      ),
    released: (by, reason) =>
      note({ _tag: "hold.released", by, reason }).pipe(
        Effect.zipRight(
          tell({
            kind: "hold.released",
            severity: "info",
            subject: null,
            message: line(`the hold was released by ${by}: ${reason}`)
          })
        ),
        Effect.zipRight(ring)
      ),
    urgent: Queue.take(bell)
  })
})

export const layer: Layer.Layer<OpNews, never, StateFile | AuditChain> = Layer.effect(OpNews, make).pipe(
  Layer.ensureRequirementsType<StateFile | AuditChain>()
)
