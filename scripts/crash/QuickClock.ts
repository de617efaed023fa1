import { Clock, Duration, Effect, Layer } from "effect"

/** How many times sooner a wait ends than it says. */
const quicker = 20

const real = Clock.make()

/**
 * The machine's own time, in which waits are short: what the agent waits for half a minute for shall not take a run of hundreds
 * of lives that long.
 */
export const layer: Layer.Layer<never> = Layer.setClock({
  [Clock.ClockTypeId]: Clock.ClockTypeId,
  unsafeCurrentTimeMillis: () => real.unsafeCurrentTimeMillis(),
  currentTimeMillis: Effect.suspend(() => real.currentTimeMillis),
  unsafeCurrentTimeNanos: () => real.unsafeCurrentTimeNanos(),
  currentTimeNanos: Effect.suspend(() => real.currentTimeNanos),
  sleep: (duration) => real.sleep(Duration.millis(Duration.toMillis(duration) / quicker))
})
