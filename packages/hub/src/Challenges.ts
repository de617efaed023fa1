import { Crypto } from "@felhom/domain/port/Crypto"
import { Clock, Context, Effect, Layer } from "effect"

/** How long a challenge may be answered, in milliseconds. */
const lifetime = 120_000
/** More at once than any fleet asks for; beyond it the oldest are void. */
const keptAtMost = 1_000

/** Random texts for hosts to sign. Each is good once, and for two minutes. */
export class Challenges extends Context.Tag("felhom/hub/Challenges")<Challenges, {
  readonly give: Effect.Effect<string>
  /** Whether it was given out and not taken back yet; it is void from now on. */
  readonly take: (challenge: string) => Effect.Effect<boolean>
}>() {}

export const layer: Layer.Layer<Challenges, never, Crypto> = Layer.effect(
  Challenges,
  Effect.map(Crypto, (crypto) => {
    const expiries = new Map<string, number>()
    return {
      give: Effect.gen(function*() {
        const now = yield* Clock.currentTimeMillis
        const challenge = yield* crypto.randomHex(32)
        // In the order of their making, so the first is the oldest.
        for (const [other, expiry] of expiries) {
          if (expiry > now && expiries.size < keptAtMost) break
          expiries.delete(other)
        }
        expiries.set(challenge, now + lifetime)
        return challenge
      }),
      take: (challenge) =>
        Effect.map(Clock.currentTimeMillis, (now) => {
          const expiry = expiries.get(challenge)
          expiries.delete(challenge)
          return expiry !== undefined && expiry > now
        })
    }
  })
).pipe(Layer.ensureRequirementsType<Crypto>())
