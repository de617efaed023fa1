import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import type { TaskRow } from "@felhom/proxmox/TaskRows"
import { Clock, Effect, Option, Ref } from "effect"

/** A task of the node that ended, whoever started it. */
export type EndedTask = Pick<TaskRow, "type" | "id">

interface Seen {
  /** In seconds of the node's clock, by which Proxmox compares starts (platform-facts 11, item 14). */
  readonly since: number
  readonly ended: ReadonlySet<string>
}

const hasEnded = (task: TaskRow): boolean => task.endtime !== null

// As far back as the oldest task that still runs, so that its end is not missed; without one, to the newest start. Never ahead
// of the clock, which may have been set back.
const sinceAfter = (rows: ReadonlyArray<TaskRow>, before: number, now: number): number =>
  rows.reduce(
    (since, task) => (hasEnded(task) ? since : Math.min(since, task.starttime)),
    Math.min(now, Math.max(before, ...rows.map(({ starttime }) => starttime)))
  )

/** More than a node ends in one cycle; of what is beyond it the reading by turns takes care. */
const tasksAtMost = 200

/**
 * Gives the tasks that ended since it was asked last; none the first time, and none where the list can't be read: what follows
 * from a task is also looked for by turns. Costs the host one request, which its root daemon never sees.
 */
export const makeTaskWatch: Effect.Effect<Effect.Effect<ReadonlyArray<EndedTask>, never, ProxmoxClient>> = Effect.map(
  Ref.make(Option.none<Seen>()),
  (memory) =>
    Effect.gen(function*() {
      const client = yield* ProxmoxClient
      const before = yield* Ref.get(memory)
      // The agent runs on the node, so their clocks are one.
      const now = Math.floor((yield* Clock.currentTimeMillis) / 1000)
      const { rows } = yield* client.tasks({
        source: "all",
        limit: tasksAtMost,
        ...(Option.isSome(before) ? { since: before.value.since } : {})
      })
      const ended = rows.filter(hasEnded)
      yield* Ref.set(
        memory,
        Option.some({
          since: sinceAfter(rows, Option.match(before, { onNone: () => 0, onSome: ({ since }) => since }), now),
          ended: new Set(ended.map(({ upid }) => upid))
        })
      )
      return Option.match(before, {
        onNone: () => [],
        onSome: (seen) => ended.filter(({ upid }) => !seen.ended.has(upid))
      })
    }).pipe(Effect.catchTag("ProxmoxError", () => Effect.succeed([])))
)

const changesBackups: ReadonlySet<string> = new Set(["vzdump", "imgdel", "prunebackups", "imgcopy", "download"])

/** Whether a list of backups may look different after these. */
export const backupsChanged = (tasks: ReadonlyArray<EndedTask>): boolean =>
  tasks.some(({ type }) => changesBackups.has(type))

const changesSnapshots: ReadonlySet<string> = new Set(
  ["vz", "qm"].flatMap((kind) => ["snapshot", "delsnapshot", "rollback"].map((verb) => `${kind}${verb}`))
)

/** The numbers of guests whose snapshots may look different after these. */
export const snapshotsChanged = (tasks: ReadonlyArray<EndedTask>): ReadonlySet<string> =>
  new Set(tasks.flatMap(({ id, type }) => (id !== null && changesSnapshots.has(type) ? [id] : [])))

// A backup takes a lock and gives it back, and power leaves the configuration as it was but for what was pending.
const leavesConfig = /^(?:vzdump|(?:vz|qm)(?:snapshot|delsnapshot|stop|shutdown))$/

/** The numbers of guests whose configuration may look different after these. */
export const configsChanged = (tasks: ReadonlyArray<EndedTask>): ReadonlySet<string> =>
  new Set(tasks.flatMap(({ id, type }) => (id !== null && /^\d+$/.test(id) && !leavesConfig.test(type) ? [id] : [])))
