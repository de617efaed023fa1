import { Clock, Effect } from "effect"

/** How much may pass: so much at once, and so much in each minute after. */
export interface RateLimits {
  readonly atOnce: number
  readonly perMinute: number
}

/** Answers whether one more may pass now. What was not used adds up to `atOnce` at most. */
export const makeRateCap = ({ atOnce, perMinute }: RateLimits): Effect.Effect<Effect.Effect<boolean>> =>
  Effect.sync(() => {
    let left = atOnce
    let at: number | undefined
    return Effect.map(Clock.currentTimeNanos, (nanos) => {
      const now = Number(nanos / 1_000_000n)
      left = Math.min(atOnce, left + ((now - (at ?? now)) * perMinute) / 60_000)
      at = now
      if (left < 1) return false
      left -= 1
      return true
    })
  })
