import { Clock, Effect, Schema } from "effect"

/** A moment, in milliseconds since the Unix epoch, UTC. */
export const EpochMillis = Schema.NonNegativeInt.pipe(Schema.brand("EpochMillis"))
export type EpochMillis = typeof EpochMillis.Type

/** The present moment. A clock gives whole milliseconds since the epoch, so they need not be looked at again. */
export const now: Effect.Effect<EpochMillis> = Effect.map(
  Clock.currentTimeMillis,
  (millis) => EpochMillis.make(millis, true)
)

/** A moment, in seconds since the Unix epoch, UTC: the unit of every time that Proxmox VE speaks of. */
export const EpochSeconds = Schema.NonNegativeInt.pipe(Schema.brand("EpochSeconds"))
export type EpochSeconds = typeof EpochSeconds.Type
