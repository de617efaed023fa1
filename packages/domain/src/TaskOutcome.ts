import { Schema } from "effect"
import { Upid } from "./Upid.ts"

/**
 * How a task ended. Only `ok` and `warnings` mean that it was done, and `ok` only that the task says so. `unknown` is an
 * outcome of its own: a killed worker, a lost task record or a host crash leave the effect open (platform-facts 4.2).
 */
export const TaskOutcome = Schema.Union(
  Schema.TaggedStruct("ok", { upid: Schema.NullOr(Upid) }),
  Schema.TaggedStruct("warnings", { upid: Upid, count: Schema.Int, logTail: Schema.Array(Schema.String) }),
  Schema.TaggedStruct("failed", { upid: Upid, exitStatus: Schema.String, logTail: Schema.Array(Schema.String) }),
  Schema.TaggedStruct("unknown", { upid: Upid, reason: Schema.String, logTail: Schema.Array(Schema.String) })
)
export type TaskOutcome = typeof TaskOutcome.Type
