import { Clock, Duration, Effect } from "effect"

interface Timer {
  readonly at: number
  readonly sequence: number
  readonly wake: () => void
}

// Enough turns for every fiber that a timer woke to come to its next sleep.
const settle = Effect.repeatN(Effect.yieldNow(), 60)

/** A clock, and the hand that moves it. */
export interface VirtualClock {
  readonly clock: Clock.Clock
  /** Moves on to a moment in milliseconds since the epoch, waking all that sleep until then; never goes back. */
  readonly advanceTo: (target: number) => Effect.Effect<void>
  readonly now: () => number
}

/**
 * A clock that a replay moves by itself. The test clock of the test kit does the same and looks after more; a day of a host
 * takes it minutes.
 */
export const makeVirtualClock = (startMillis: number): VirtualClock => {
  let now = startMillis
  let sequence = 0
  let timers: ReadonlyArray<Timer> = []
  const nanos = () => BigInt(now) * 1_000_000n
  const clock: Clock.Clock = {
    [Clock.ClockTypeId]: Clock.ClockTypeId,
    unsafeCurrentTimeMillis: () => now,
    unsafeCurrentTimeNanos: nanos,
    currentTimeMillis: Effect.sync(() => now),
    currentTimeNanos: Effect.sync(nanos),
    sleep: (duration) =>
      Effect.async<void>((resume) => {
        const timer = { at: now + Duration.toMillis(duration), sequence: sequence++, wake: () => resume(Effect.void) }
        timers = [...timers, timer]
        return Effect.sync(() => {
          timers = timers.filter((other) => other !== timer)
        })
      })
  }
  const advanceTo = (target: number): Effect.Effect<void> =>
    Effect.gen(function*() {
      yield* settle
      for (;;) {
        const next = timers.toSorted((a, b) => a.at - b.at || a.sequence - b.sequence)[0]
        if (next === undefined || next.at > target) break
        now = Math.max(now, next.at)
        timers = timers.filter((other) => other !== next)
        next.wake()
        yield* settle
      }
      now = Math.max(now, target)
    })
  return { clock, advanceTo, now: () => now }
}
