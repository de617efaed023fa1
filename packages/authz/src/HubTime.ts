import type { EpochMillis } from "@felhom/domain/Time"
import { Clock, Context, Effect, Layer, Option, Ref } from "effect"

/** How far the host's clock may stand from the hub's, in ms (protocol 5). */
export const hubTolerance: number = 2 * 60_000

/** What the hub's clock said last, beside the host's own. A hub that lies about it can only have ops refused. */
export class HubTime extends Context.Tag("felhom/authz/HubTime")<HubTime, {
  /** Takes in the `serverTime` of an answer that came just now. */
  readonly heard: (serverTime: EpochMillis) => Effect.Effect<void>
  /** By how many ms the host's clock was ahead of the hub's; none while the hub has not answered. */
  readonly ahead: Effect.Effect<Option.Option<number>>
}>() {}

/** Knows nothing of any hub's clock yet. */
export const make: Effect.Effect<typeof HubTime.Service> = Effect.map(Ref.make(Option.none<number>()), (last) => ({
  heard: (serverTime) => Effect.flatMap(Clock.currentTimeMillis, (now) => Ref.set(last, Option.some(now - serverTime))),
  ahead: Ref.get(last)
}))

export const layer: Layer.Layer<HubTime> = Layer.effect(HubTime, make)
