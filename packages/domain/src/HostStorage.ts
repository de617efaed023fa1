import { Schema } from "effect"
import { StorageId } from "./ProxmoxId.ts"
import { EpochMillis } from "./Time.ts"

/**
 * How one disk of a set is. `mounted`: it is the one in use. `present`: plugged in, and another one is in use. `away`: somewhere else,
 * as it should be. `due-back`: away for longer than the policy has it. `ejected`: plugged in, and may be unplugged. `refused`: plugged
 * in, and not mounted for the reason that `why` tells.
 */
export const SetMemberState = Schema.Literal("mounted", "present", "away", "due-back", "ejected", "refused")
export type SetMemberState = typeof SetMemberState.Type

export const SetMember = Schema.Struct({
  name: Schema.String,
  state: SetMemberState,
  /** When it was last seen mounted; null: never. */
  mountedAt: Schema.NullOr(EpochMillis),
  why: Schema.NullOr(Schema.String)
})
export type SetMember = typeof SetMember.Type

/**
 * How a set of disks is. `ready`: one is mounted, and the storage over it can be used. `ejected`: none is, by a person's word.
 * `missing`: none is, and should be. `trouble`: `why` tells.
 */
export const DiskSet = Schema.Struct({
  name: Schema.String,
  storage: StorageId,
  state: Schema.Literal("ready", "ejected", "missing", "trouble"),
  why: Schema.NullOr(Schema.String),
  members: Schema.Array(SetMember)
})
export type DiskSet = typeof DiskSet.Type

/** A network storage of the host's policy. `ready`: set up as the policy says. `trouble`: `why` tells. */
export const NetworkStorage = Schema.Struct({
  storage: StorageId,
  type: Schema.String,
  state: Schema.Literal("ready", "trouble"),
  why: Schema.NullOr(Schema.String)
})
export type NetworkStorage = typeof NetworkStorage.Type

/** What the host keeps of storages by its own policy. */
export const HostStorage = Schema.Struct({ sets: Schema.Array(DiskSet), network: Schema.Array(NetworkStorage) })
export type HostStorage = typeof HostStorage.Type
