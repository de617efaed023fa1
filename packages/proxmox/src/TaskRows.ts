import { Upid } from "@felhom/domain/Upid"
import { Schema } from "effect"
import { numberOrNull, textOrNull, WireNumber } from "./Wire.ts"

/**
 * A task in the node's list. Seconds since the epoch. `status` is `RUNNING` while it runs, then the exit status. `user` is the
 * full token id while it runs and the plain user afterwards, with the token's name in `tokenid`.
 *
 * @see platform-facts 1.7, 11 item 14
 */
export const TaskRow = Schema.Struct({
  upid: Upid,
  node: Schema.String,
  type: Schema.String,
  id: textOrNull,
  user: Schema.String,
  tokenid: textOrNull,
  starttime: WireNumber,
  endtime: numberOrNull,
  status: textOrNull
})
export type TaskRow = typeof TaskRow.Type

/**
 * Whether a task runs, and how it ended: `exitstatus` is the last line of its log, and there only once it stopped.
 *
 * @see platform-facts 4.2
 */
export const TaskStatus = Schema.Struct({
  status: Schema.Literal("running", "stopped"),
  exitstatus: textOrNull
})
export type TaskStatus = typeof TaskStatus.Type

/** One line of a task's log, counted from 1. */
export const TaskLogLine = Schema.Struct({
  n: WireNumber,
  t: Schema.optionalWith(Schema.NullOr(Schema.String), { default: () => null })
})
export type TaskLogLine = typeof TaskLogLine.Type
