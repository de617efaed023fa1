import { Schema } from "effect"
import { StorageId } from "./ProxmoxId.ts"
import { EpochMillis } from "./Time.ts"

/** `warn`: a person should look at it within days. `fail`: now. `unknown`: nobody could look, which is neither good nor bad. */
export const HealthState = Schema.Literal("ok", "warn", "fail", "unknown")
export type HealthState = typeof HealthState.Type

export const HealthKind = Schema.Literal("disk", "sensor", "storage", "disk-set")
export type HealthKind = typeof HealthKind.Type

/** The most lines, reasons and letters of a reason that are told; what goes beyond is counted or cut. */
export const healthBounds = { lines: 40, reasons: 8, letters: 400 } as const

/**
 * One thing that can be well or not, with all that follows from it: a dying disk and the storage on it are one line. `name` is what
 * the host calls it now (`/dev/sda`, a storage's id), `id` what it is known by for longer (a disk's serial).
 */
export const HealthLine = Schema.Struct({
  kind: HealthKind,
  name: Schema.String,
  id: Schema.String,
  state: HealthState,
  /** Since when it is in this state, as far as this host has looked. */
  since: EpochMillis,
  /** Whole sentences, worst first; none where all is well. */
  reasons: Schema.Array(Schema.String),
  /** Storages that stand on it. */
  storages: Schema.Array(StorageId)
})
export type HealthLine = typeof HealthLine.Type

/** How a host's disks, storages and sensors are, worst first. */
export const Health = Schema.Struct({
  /** When the disks were last asked. */
  lookedAt: EpochMillis,
  lines: Schema.Array(HealthLine),
  /** Lines that did not fit; all of them well or unknown, unless the host is in a very bad way. */
  omitted: Schema.NonNegativeInt
})
export type Health = typeof Health.Type

const ranks: { readonly [state in HealthState]: number } = { unknown: 0, ok: 1, warn: 2, fail: 3 }

/** How bad a state is; what nobody could look at counts for less than what is known to be well. */
export const rankOf = (state: HealthState): number => ranks[state]

export const worstOf = (states: ReadonlyArray<HealthState>): HealthState =>
  states.reduce<HealthState>((worst, state) => rankOf(state) > rankOf(worst) ? state : worst, "unknown")
