import { HubTooManyRequests } from "@felhom/domain/HubRefusal"
import { Clock, Context, Effect, Layer } from "effect"

/** How many requests may come at once, and how many a second in the long run. */
export interface Allowance {
  readonly burst: number
  readonly perSecond: number
}

/** For a host's token: an agent reports once in five seconds at most. */
export const tokenAllowance: Allowance = { burst: 10, perSecond: 1 }

/** For an address without a token: a whole home or data centre may stand behind it, each host of which asks while it waits. */
export const addressAllowance: Allowance = { burst: 60, perSecond: 5 }

/** So many senders are remembered; whoever was quiet long enough to be full again need not be. */
const remembered = 20_000

/** A bucket of requests for each sender, in memory: what a restart forgets is seconds old. */
export class RateLimit extends Context.Tag("felhom/hub/RateLimit")<RateLimit, {
  /** Takes one request out of the sender's bucket. `sender` is a token's hash or an address; it always has the same allowance. */
  readonly take: (sender: string, allowance: Allowance) => Effect.Effect<void, HubTooManyRequests>
}>() {}

interface Bucket {
  readonly allowance: Allowance
  readonly left: number
  readonly at: number
}

const refilled = ({ allowance, at, left }: Bucket, now: number): number =>
  Math.min(allowance.burst, left + Math.max(0, now - at) / 1000 * allowance.perSecond)

export const layer: Layer.Layer<RateLimit> = Layer.sync(RateLimit, () => {
  const buckets = new Map<string, Bucket>()
  const forgetFull = (now: number) => {
    for (const [sender, bucket] of buckets) {
      if (refilled(bucket, now) === bucket.allowance.burst) buckets.delete(sender)
    }
  }
  return {
    take: (sender, allowance) =>
      Clock.clockWith((clock) => {
        const now = clock.unsafeCurrentTimeMillis()
        if (buckets.size >= remembered) forgetFull(now)
        const { burst, perSecond } = allowance
        const left = refilled(buckets.get(sender) ?? { allowance, left: burst, at: now }, now)
        if (left >= 1) {
          buckets.set(sender, { allowance, left: left - 1, at: now })
          return Effect.void
        }
        const retryAfterSeconds = Math.ceil((1 - left) / perSecond)
        return new HubTooManyRequests({
          message: `more than ${burst} requests at once and ${perSecond} a second: wait ${retryAfterSeconds} s`,
          retryAfterSeconds
        })
      })
  }
})
