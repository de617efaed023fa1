import { Schema } from "effect"

/** A moment, in milliseconds since the Unix epoch, UTC. */
export const EpochMillis = Schema.NonNegativeInt.pipe(Schema.brand("EpochMillis"))
export type EpochMillis = typeof EpochMillis.Type

/** A moment, in seconds since the Unix epoch, UTC: the unit of every time that Proxmox VE speaks of. */
export const EpochSeconds = Schema.NonNegativeInt.pipe(Schema.brand("EpochSeconds"))
export type EpochSeconds = typeof EpochSeconds.Type
