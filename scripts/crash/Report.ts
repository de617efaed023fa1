import { Schema } from "effect"
import { Home, Lived, Reached } from "./Life.ts"

/** What a process finds in each folder that it is to live in: who it is, and what shall go wrong. */
export const assignmentFile = "life.json"

const Spends = Schema.Struct({
  count: Schema.Number,
  /** As many writes in each life, or as many records to a write as the disk has time for, as it is with a host's. */
  writes: Schema.Literal("one each", "shared")
})
export type Spends = typeof Spends.Type

export const Assignment = Schema.Struct({
  home: Home,
  trap: Schema.NullOr(Schema.Struct({
    at: Schema.Number,
    from: Schema.optional(Schema.Struct({ step: Schema.String, time: Schema.Number })),
    how: Schema.Literal("kill before", "kill after", "EIO", "ENOSPC")
  })),
  /** Instead of an agent's life: only so many nonces are spent. */
  spends: Schema.optional(Spends)
})
export type Assignment = typeof Assignment.Type

/** What a life says of itself, if it comes to its end. */
export const Report = Schema.Struct({
  /** Every step that changed the disk, in order. */
  steps: Schema.Array(Schema.String),
  sprung: Schema.NullOr(Schema.String),
  /** Null where it could not begin; `failure` says why. */
  lived: Schema.NullOr(Lived),
  failure: Schema.NullOr(Schema.String)
})
export type Report = typeof Report.Type

/** One line of what a process says: how far it has come, whenever that may have changed, or what came of a life. */
export const Line = Schema.Union(
  Schema.Struct({ reached: Reached }),
  /** So many nonces were spent, and that was answered for. */
  Schema.Struct({ spent: Schema.Number }),
  Report
)
