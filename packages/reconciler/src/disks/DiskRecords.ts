import type { DurableFile } from "@felhom/domain/port/DurableFile"
import { EpochMillis } from "@felhom/domain/Time"
import { type KeptDocument, makeKeptDocument } from "@felhom/durable/KeptDocument"
import { DiskMark } from "@felhom/privileged/Mount"
import { Effect, Schema } from "effect"

/** What this host knows of one disk of a set. */
export const DiskRecord = Schema.Struct({
  uuid: Schema.String,
  /** What is written on it, once it was mounted (`marked`), or will be. */
  mark: DiskMark,
  marked: Schema.Boolean,
  /** A person has said that it is taken as it is, whatever its mark. */
  adopt: Schema.Boolean,
  /** Since when the policy names it, and when it was last seen mounted. */
  knownAt: EpochMillis,
  mountedAt: Schema.NullOr(EpochMillis),
  /** A person has ejected it, and it was not unplugged since. */
  ejected: Schema.Boolean
})
export type DiskRecord = typeof DiskRecord.Type

/** What this host knows of a set: the disk whose unit file stands there, and since when none is mounted by a person's word. */
export const SetRecord = Schema.Struct({
  unitOf: Schema.NullOr(Schema.String),
  ejectedAt: Schema.NullOr(EpochMillis)
})
export type SetRecord = typeof SetRecord.Type

/** Kept in the state folder: what may not be forgotten of disks and of storages on other machines. */
export const DiskRecords = Schema.Struct({
  typ: Schema.Literal("felhom/disks/v1"),
  disks: Schema.Record({ key: Schema.String, value: DiskRecord }),
  sets: Schema.Record({ key: Schema.String, value: SetRecord }),
  /** By the storage's id: a salted hash of the secret that Proxmox VE was given last. */
  secrets: Schema.Record({ key: Schema.String, value: Schema.Struct({ salt: Schema.String, sha256: Schema.String }) })
})
export type DiskRecords = typeof DiskRecords.Type

export const noRecords: DiskRecords = { typ: "felhom/disks/v1", disks: {}, sets: {}, secrets: {} }

/** The records in the folder. */
export const makeDiskRecords = (folder: string): Effect.Effect<KeptDocument<DiskRecords>, never, DurableFile> =>
  makeKeptDocument({
    path: `${folder.replace(/\/+$/, "")}/disks.json`,
    schema: DiskRecords,
    understand: () => Effect.void
  })

export const freshSet: SetRecord = { unitOf: null, ejectedAt: null }
