import type { Crypto } from "@felhom/domain/port/Crypto"
import { version } from "@felhom/domain/Version"
import { type NewEvent, StateFile } from "@felhom/durable/StateFile"
import type { HubClient } from "@felhom/hub-client/HubClient"
import type { Observer } from "@felhom/reconciler/Observer"
import { Cause, Effect, Random, Ref } from "effect"
import { cycle, freshMemory, type Host, type Memory } from "./Cycle.ts"
import { deskLater, noDesk, type OpDesk } from "./ops/OpDesk.ts"
import { jittered } from "./Pace.ts"
import { makePause } from "./Pause.ts"

const started: NewEvent = {
  kind: "agent.started",
  severity: "info",
  subject: null,
  message: `felhom-agent ${version} started`
}

const stopped: NewEvent = {
  kind: "agent.stopped",
  severity: "info",
  subject: null,
  message: `felhom-agent ${version} was told to stop`
}

/** A defect in one cycle costs that cycle, never the daemon; the memory before it is kept. */
const survived = (memory: Memory) => (cause: Cause.Cause<never>): Effect.Effect<Memory> =>
  Cause.isInterruptedOnly(cause)
    ? Effect.failCause(cause)
    : Effect.as(Effect.logError("a cycle failed; the next one starts from the state before it", cause), memory)

const notMended = (cause: Cause.Cause<never>): Effect.Effect<void> =>
  Cause.isInterruptedOnly(cause)
    ? Effect.failCause(cause)
    : Effect.logError("the agent's records could not be opened anew; that is tried again", cause)

/**
 * The loop: a cycle, then a jittered pause, for ever. It ends only by being interrupted, which finishes no request that has
 * not been answered: tasks on the host go on by themselves, and guests never notice.
 */
export const run = <R = never>(
  host: Host,
  /** Opened once, after the first cycle: what need not hold up the first report. */
  open: Effect.Effect<OpDesk, never, R> = Effect.succeed(noDesk)
): Effect.Effect<never, never, Observer | HubClient | StateFile | Crypto | R> =>
  Effect.gen(function*() {
    const state = yield* StateFile
    yield* Effect.logInfo("felhom-agent runs").pipe(
      Effect.annotateLogs({ version, hostId: state.host.id, node: host.node })
    )
    yield* state.record([started])
    const memory = yield* Ref.make(freshMemory)
    const desk = yield* Ref.make(deskLater)
    const pause = yield* makePause
    const opened = Effect.gen(function*() {
      const ready = yield* open
      yield* Ref.set(desk, ready)
      // How an op ended is told at once. Only what an operator signed has it so: a hub can't make the loop turn faster.
      yield* Effect.fork(Effect.forever(Effect.zipRight(ready.urgent, pause.ring)))
    })
    const openOnce = Effect.flatMap(Ref.get(desk), ({ takes }) => takes === "later" ? opened : Effect.void)
    const turn = Effect.gen(function*() {
      const before = yield* Ref.get(memory)
      const { intervalMillis } = yield* cycle(host, before, yield* Ref.get(desk)).pipe(
        Effect.catchAllCause(survived(before)),
        Effect.tap((after) => Ref.set(memory, after))
      )
      yield* openOnce
      yield* Effect.flatMap(Ref.get(desk), ({ mend }) => mend).pipe(Effect.catchAllCause(notMended))
      yield* pause.take(jittered(intervalMillis, yield* Random.next))
    })
    return yield* Effect.onInterrupt(Effect.forever(turn), () => state.record([stopped]))
  })
