import type { DurableLogError } from "@felhom/durable/DurableLogError"
import { type NewEvent, StateFile } from "@felhom/durable/StateFile"
import { Clock, Effect, ExecutionStrategy, Exit, Option, Queue, Scope } from "effect"
import type { OpDesk } from "./OpDesk.ts"

/** A desk that is open, and why its records take nothing more, if the disk has failed under them. */
export interface OpenedDesk {
  readonly desk: OpDesk
  readonly broken: Effect.Effect<Option.Option<DurableLogError>>
}

/** From the second time on it is opened anew after longer and longer pauses: a disk that fails again and again is no better for it. */
const pauses = { first: 60_000, longest: 900_000 } as const

/** By the time that passes, which nobody can set. */
const elapsed = Effect.map(Clock.currentTimeNanos, (nanos) => Number(nanos / 1_000_000n))

const takesNothing = ({ message }: DurableLogError): NewEvent => ({
  kind: "state.unwritable",
  severity: "critical",
  subject: null,
  message
})

const openedAnew = ({ path }: DurableLogError): NewEvent => ({
  kind: "state.recovered",
  severity: "info",
  subject: null,
  message:
    `the disk takes writes again: ${path} and what stands beside it is open anew, and what was under way is followed on`
})

/**
 * A desk that is opened anew when the disk has failed under it and takes writes again. A log that has met an error takes nothing
 * more, as nobody knows what of it is on the disk; so all that is under way is given up, as at a stop, and found again in what the
 * disk holds, as at a start. Nobody has to come to the host for it.
 */
export const renewing = <R>(
  open: (again: boolean) => Effect.Effect<OpenedDesk, never, R>
): Effect.Effect<OpDesk, never, R | StateFile | Scope.Scope> =>
  Effect.gen(function*() {
    const state = yield* StateFile
    const outer = yield* Effect.scope
    const context = yield* Effect.context<R>()
    const bell = yield* Queue.sliding<void>(1)

    const openedIn = (scope: Scope.CloseableScope, again: boolean) =>
      Effect.gen(function*() {
        const { broken, desk } = yield* open(again).pipe(
          Effect.provideService(Scope.Scope, scope),
          Effect.provide(context)
        )
        yield* Effect.forkIn(Effect.forever(Effect.zipRight(desk.urgent, Queue.offer(bell, undefined))), scope)
        return { desk, broken, scope, openedAt: yield* elapsed }
      })
    const opened = (again: boolean) =>
      Effect.flatMap(Scope.fork(outer, ExecutionStrategy.sequential), (scope) => openedIn(scope, again))

    let present = yield* opened(false)
    let pause = 0
    let isTold = false

    const renewed = (error: DurableLogError) =>
      Effect.gen(function*() {
        yield* Effect.logWarning(
          "the agent's records are opened anew, as the disk had failed under them",
          error.message
        )
        yield* Scope.close(present.scope, Exit.void)
        present = yield* opened(true)
        if (Option.isSome(yield* present.broken)) return
        isTold = false
        yield* state.record([openedAnew(error)])
      })

    const mended = (error: DurableLogError) =>
      Effect.gen(function*() {
        if (!isTold) {
          isTold = true
          yield* state.record([takesNothing(error)])
        }
        const since = (yield* elapsed) - present.openedAt
        if (since < pause || Option.isSome(yield* state.failure)) return
        pause = since > pauses.longest ? pauses.first : Math.min(pauses.longest, Math.max(pauses.first, 2 * pause))
        yield* renewed(error)
      })

    return {
      takes: "yes",
      received: (handed) => present.desk.received(handed),
      trust: Effect.suspend(() => present.desk.trust),
      desired: Effect.suspend(() => present.desk.desired),
      pursue: (observation) => present.desk.pursue(observation),
      audit: Effect.suspend(() => present.desk.audit),
      beside: Effect.suspend(() => present.desk.beside),
      urgent: Queue.take(bell),
      mend: Effect.flatMap(
        Effect.suspend(() => present.broken),
        Option.match({ onNone: () => Effect.void, onSome: mended })
      )
    }
  })
