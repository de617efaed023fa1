import { Clock, Context, Effect, Layer, Ref } from "effect"

/**
 * Since when the hub has been there to hear its hosts, without a pause. A hub that was down, or whose machine slept, must not
 * blame the hosts for its own silence.
 */
export class HubUptime extends Context.Tag("felhom/hub/HubUptime")<HubUptime, {
  /** Milliseconds since the epoch. */
  readonly since: Effect.Effect<number>
  /** Says that the hub is alive now; a long time since the last such word was a pause, whoever paused it. */
  readonly beat: Effect.Effect<void>
}>() {}

/** No beat for that long, in milliseconds, is a pause: they come every few seconds. */
const pause = 60_000

export const layer: Layer.Layer<HubUptime> = Layer.effect(
  HubUptime,
  Effect.gen(function*() {
    const now = yield* Clock.currentTimeMillis
    const state = yield* Ref.make({ since: now, beat: now })
    return HubUptime.of({
      since: Effect.map(Ref.get(state), ({ since }) => since),
      beat: Effect.flatMap(Clock.currentTimeMillis, (now) =>
        Ref.update(state, ({ beat, since }) => ({
          since: Math.abs(now - beat) > pause ? now : since,
          beat: now
        })))
    })
  })
)
