import type { GuestRef } from "@felhom/domain/ProxmoxId"
import type { EpochMillis } from "@felhom/domain/Time"
import type { Upid } from "@felhom/domain/Upid"
import { Either } from "effect"
import type { IntendedCall } from "./JournalWords.ts"
import type { MakingRecord } from "./MakingRecord.ts"

/** A guest that this host makes or has made for a desired state. */
export interface Making {
  readonly key: string
  readonly guest: GuestRef
  /** When its number was chosen. */
  readonly at: EpochMillis
  readonly call: IntendedCall
  /** The task that makes it; null while nobody knows one. */
  readonly upid: Upid | null
  /** Who it is, as one text; null until it was read. */
  readonly identity: string | null
  /**
   * `chosen`: the call may have been made. `called`: its task is known. `half-made`: it is there, and was never started.
   * `starting`: it may have been. `proven`: it is what it should be.
   */
  readonly stage: "chosen" | "called" | "half-made" | "starting" | "proven"
  /** Its removal was asked for, or was about to be. */
  readonly removing: boolean
}

export type Makings = ReadonlyMap<string, Making>

type Stage = Making["stage"]
type Step = Exclude<MakingRecord["_tag"], "making.chosen">

// What may have been started is somebody's by now, and is neither forgotten nor removed.
const allowed: { readonly [step in Step]: ReadonlyArray<Stage> } = {
  "making.called": ["chosen"],
  "making.stands": ["called", "half-made"],
  "making.starting": ["half-made"],
  "making.proven": ["half-made", "starting"],
  "making.removing": ["half-made"],
  "making.forgotten": ["chosen", "called", "half-made"]
}

const advanced = (held: Making, record: Exclude<MakingRecord, { readonly _tag: "making.chosen" }>): Making => {
  switch (record._tag) {
    case "making.called":
      return { ...held, upid: record.upid, stage: "called" }
    case "making.stands":
      return { ...held, identity: record.identity, stage: "half-made" }
    case "making.starting":
      return { ...held, stage: "starting" }
    case "making.proven":
      return { ...held, stage: "proven" }
    case "making.removing":
    case "making.forgotten":
      return { ...held, removing: true }
  }
}

/** The state after one more record; left when the record can't follow, with why. */
export const makingApplied = (makings: Makings, record: MakingRecord): Either.Either<Makings, string> => {
  const { key } = record
  const held = makings.get(key)
  if (record._tag === "making.chosen") {
    if (held !== undefined && held.stage !== "chosen") {
      return Either.left(`the guest ${key} is ${held.stage} and can't be given a number anew`)
    }
    const { at, call, guest } = record
    const chosen: Making = { key, guest, at, call, upid: null, identity: null, stage: "chosen", removing: false }
    return Either.right(new Map(makings).set(key, chosen))
  }
  if (held === undefined) return Either.left(`there is no record of a guest ${key} that could be ${record._tag}`)
  if (!allowed[record._tag].includes(held.stage)) {
    return Either.left(`the guest ${key} is ${held.stage} and can't be ${record._tag}`)
  }
  if (held.removing && record._tag !== "making.forgotten") {
    return Either.left(`the guest ${key} is being removed and can't be ${record._tag}`)
  }
  const next = new Map(makings)
  if (record._tag === "making.forgotten") next.delete(key)
  else next.set(key, advanced(held, record))
  return Either.right(next)
}

const recordsOf = ({ at, call, guest, identity, key, removing, stage, upid }: Making): ReadonlyArray<MakingRecord> => [
  { _tag: "making.chosen", at, key, guest, call },
  ...(upid === null ? [] : [{ _tag: "making.called" as const, key, upid }]),
  ...(identity === null ? [] : [{ _tag: "making.stands" as const, key, identity }]),
  ...(removing ? [{ _tag: "making.removing" as const, key }] : []),
  ...(stage === "starting" ? [{ _tag: "making.starting" as const, key }] : []),
  ...(stage === "proven" ? [{ _tag: "making.proven" as const, key }] : [])
]

/** The fewest records that come to this state. */
export const makingRecordsOf = (makings: Makings): ReadonlyArray<MakingRecord> =>
  [...makings.values()].flatMap(recordsOf)
