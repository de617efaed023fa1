import type { Upid } from "@felhom/domain/Upid"
import { type Effect, Either } from "effect"
import type { Caller } from "./Caller.ts"
import { decodeListing, decodeObject, type Listing } from "./Listing.ts"
import type { ProxmoxError } from "./ProxmoxError.ts"
import { TaskLogLine, TaskRow, TaskStatus } from "./TaskRows.ts"

/** Which tasks to list. `since` and `until` are seconds of the node's clock and are compared with a task's start. */
export interface TaskFilter {
  /** `archive` misses running tasks, `active` finished ones. */
  readonly source: "all" | "active" | "archive"
  /** The task's id exactly, so one named `101@storage` is not found by 101. */
  readonly vmid?: number
  readonly type?: string
  readonly since?: number
  readonly until?: number
  /** At most this many, 50 if not given. */
  readonly limit?: number
}

/** Lines of a task's log, and how many there are in all. */
export interface TaskLog extends Listing<TaskLogLine> {
  readonly total: number
}

/** The node's tasks. @see platform-facts 1.7, 4 */
export interface TaskApi {
  /** Without Sys.Audit a token sees its own only. There is no filter by user: it stops matching. @see platform-facts 11, item 14 */
  readonly tasks: (filter: TaskFilter) => Effect.Effect<Listing<TaskRow>, ProxmoxError>
  /** A record that is gone is `task-not-found`. @see platform-facts 4.2 */
  readonly taskStatus: (upid: Upid) => Effect.Effect<TaskStatus, ProxmoxError>
  /** `limit` lines (0: all) after the first `start`; for a task whose log is gone, one line that says so. @see platform-facts 4.3 */
  readonly taskLog: (
    upid: Upid,
    range: { readonly start: number; readonly limit: number }
  ) => Effect.Effect<TaskLog, ProxmoxError>
}

const taskRows = decodeListing(TaskRow, { recurring: true })
const taskStatus = decodeObject(TaskStatus)
const logLines = decodeListing(TaskLogLine)

export const makeTaskApi = ({ get, getAnswer, node }: Caller): TaskApi => ({
  tasks: ({ limit, since, source, type, until, vmid }) =>
    get([...node, "tasks"], taskRows, { source, vmid, typefilter: type, since, until, limit }),
  taskStatus: (upid) => get([...node, "tasks", upid, "status"], taskStatus),
  taskLog: (upid, { limit, start }) =>
    getAnswer(
      [...node, "tasks", upid, "log"],
      ({ data, total }) =>
        Either.map(logLines(data), (lines) => ({
          ...lines,
          total: typeof total === "number" ? total : start + lines.rows.length
        })),
      { start, limit }
    )
})
