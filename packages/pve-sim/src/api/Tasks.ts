import { Effect } from "effect"
import { badParameters, died } from "../ApiFailure.ts"
import { isSet, numberOf, required, textOf } from "../CallParameters.ts"
import { anyone, type Call, type Endpoint, type Json, may, missing } from "../Endpoint.ts"
import * as Formats from "../Formats.ts"
import { type Format, splitList } from "../ParameterSchema.ts"
import { exitKind, exitStatus, ownerOf, type Task } from "../TaskTable.ts"

const inPath = { node: Formats.node, upid: Formats.upid }

const statusKinds: Format = {
  check: (value) =>
    ["ok", "warning", "error", "unknown"].includes(value.toLowerCase()) ? undefined : `invalid status '${value}'\n`,
  list: true
}

const isOwn = (call: Call, user: string): boolean => user === call.identity.id

const numbers = (task: Task) => ({
  pid: task.parts.pid,
  pstart: task.parts.pstart,
  starttime: task.parts.startTime
})

// In the list of running tasks the user is still the full token id; the archive has it apart (platform-facts 11, item 14).
const runningRow = (task: Task): { readonly [key: string]: Json } => ({
  upid: task.upid,
  node: task.parts.node,
  type: task.parts.type,
  id: task.parts.id,
  user: task.parts.user,
  status: "RUNNING",
  saved: "0",
  ...numbers(task)
})

const archivedRow = (task: Task): { readonly [key: string]: Json } => ({
  upid: task.upid,
  node: task.parts.node,
  type: task.parts.type,
  id: task.parts.id,
  ...ownerOf(task.parts.user),
  status: exitStatus(task),
  endtime: task.endTime,
  ...numbers(task)
})

const list: Endpoint = {
  method: "GET",
  path: "/nodes/{node}/tasks",
  permission: anyone,
  protected: false,
  parameters: {
    node: Formats.node,
    start: Formats.integer(0),
    limit: Formats.integer(0),
    userfilter: Formats.text(),
    typefilter: Formats.text(),
    vmid: Formats.optional(Formats.vmid),
    errors: Formats.flag,
    source: Formats.choice("archive", "active", "all"),
    since: Formats.integer(),
    until: Formats.integer(),
    statusfilter: { type: "string", optional: true, format: statusKinds }
  },
  handle: (call) =>
    Effect.sync(() => {
      const source = textOf(call, "source") ?? "archive"
      const seesAll = may(call, `/nodes/${required(call, "node")}`, "Sys.Audit")
      const user = textOf(call, "userfilter")?.toLowerCase()
      const kinds = splitList(textOf(call, "statusfilter")?.toLowerCase())
      const shown = (task: Task): boolean => {
        const running = task.endTime === undefined
        const listedUser = running ? task.parts.user : ownerOf(task.parts.user).user
        // Nobody knows yet how a running one ends, and so it counts.
        const kind = running ? "unknown" : exitKind(exitStatus(task))
        return (source === "all" || running === (source === "active")) &&
          (seesAll || isOwn(call, task.parts.user)) &&
          (user === undefined || listedUser.toLowerCase().includes(user)) &&
          task.parts.type === (textOf(call, "typefilter") ?? task.parts.type) &&
          task.parts.id === (textOf(call, "vmid") ?? task.parts.id) &&
          task.parts.startTime >= numberOf(call, "since", 0) &&
          task.parts.startTime <= numberOf(call, "until", Number.MAX_SAFE_INTEGER) &&
          (isSet(call, "errors") ? kind !== "ok" : kinds.length === 0 || kinds.includes(kind))
      }
      const found = call.machine.tasks.all.filter(shown)
      const running = found.filter((task) => task.endTime === undefined).toReversed()
      // The archive is an index that is written when a task ends.
      const ended = found.filter((task) => task.endTime !== undefined).toSorted((a, b) => b.endedAs - a.endedAs)
      const rows = [...running.map(runningRow), ...ended.map(archivedRow)]
      const start = numberOf(call, "start", 0)
      return { data: rows.slice(start, start + numberOf(call, "limit", 50)), total: rows.length }
    })
}

const mayRead = (call: Call, user: string) =>
  isOwn(call, user)
    ? undefined
    : missing(call.machine, call.identity, `/nodes/${required(call, "node")}`, ["Sys.Audit"])

/** The user in a UPID, before it is known whether there is such a task. */
const userIn = (upid: string): string => upid.split(":")[7] ?? ""

const index: Endpoint = {
  method: "GET",
  path: "/nodes/{node}/tasks/{upid}",
  permission: anyone,
  protected: false,
  parameters: inPath,
  handle: () => Effect.succeed({ data: [{ name: "log" }, { name: "status" }] })
}

const status: Endpoint = {
  method: "GET",
  path: "/nodes/{node}/tasks/{upid}/status",
  permission: anyone,
  protected: true,
  parameters: inPath,
  handle: (call) =>
    Effect.gen(function*() {
      const upid = required(call, "upid")
      if (!Formats.isUpid(upid)) return yield* badParameters({ upid: "unable to parse worker upid" })
      const task = call.machine.tasks.find(upid)
      if (task === undefined) return yield* badParameters({ upid: "no such task" })
      const refused = mayRead(call, task.parts.user)
      if (refused !== undefined) return yield* refused
      const ended = task.endTime !== undefined
      return {
        data: {
          upid,
          node: task.parts.node,
          type: task.parts.type,
          id: task.parts.id,
          ...ownerOf(task.parts.user),
          ...numbers(task),
          status: ended ? "stopped" : "running",
          exitstatus: ended ? exitStatus(task) : undefined
        }
      }
    })
}

const downloadName = (upid: string): string => {
  const [, node = "", , , start = "0", type = ""] = upid.split(":")
  const began = new Date(Number.parseInt(start, 16) * 1000).toISOString().replace(/\.\d+Z$/, "Z")
  return `task-${node}-${type}-${began}.log`
}

const log: Endpoint = {
  method: "GET",
  path: "/nodes/{node}/tasks/{upid}/log",
  permission: anyone,
  protected: true,
  parameters: { ...inPath, start: Formats.integer(0), limit: Formats.integer(0), download: Formats.flag },
  handle: (call) =>
    Effect.gen(function*() {
      const upid = required(call, "upid")
      if (!Formats.isUpid(upid)) return yield* badParameters({ upid: "unable to parse worker upid" })
      const refused = mayRead(call, userIn(upid))
      if (refused !== undefined) return yield* refused
      const task = call.machine.tasks.find(upid)
      // Not an error but a line that says so (platform-facts 4.2).
      const lines = task === undefined
        ? ["unable to open file - No such file or directory"]
        : task.log.length === 0
        ? ["no content"]
        : task.log
      if (isSet(call, "download")) {
        if (call.parameters.has("start") || call.parameters.has("limit")) {
          return yield* died("Parameter 'download' can't be used with other parameters")
        }
        return { data: null, download: { name: downloadName(upid), text: lines.map((line) => `${line}\n`).join("") } }
      }
      const start = numberOf(call, "start", 0)
      const limit = numberOf(call, "limit", 50)
      return {
        data: lines
          .map((t, at) => ({ n: at + 1, t }))
          .slice(start, limit === 0 ? undefined : start + limit),
        total: lines.length
      }
    })
}

const stop: Endpoint = {
  method: "DELETE",
  path: "/nodes/{node}/tasks/{upid}",
  permission: anyone,
  protected: true,
  parameters: inPath,
  handle: (call) =>
    Effect.gen(function*() {
      const upid = required(call, "upid")
      if (!Formats.isUpid(upid)) return yield* badParameters({ upid: "unable to parse worker upid" })
      const refused = isOwn(call, userIn(upid))
        ? undefined
        : missing(call.machine, call.identity, `/nodes/${required(call, "node")}`, ["Sys.Modify"])
      if (refused !== undefined) return yield* refused
      const task = call.machine.tasks.find(upid)
      if (task === undefined) return yield* badParameters({ upid: "no such task" })
      yield* call.machine.tasks.stop(task)
      return { data: null }
    })
}

const clusterTasks: Endpoint = {
  method: "GET",
  path: "/cluster/tasks",
  permission: anyone,
  protected: false,
  parameters: {},
  handle: (call) =>
    Effect.sync(() => {
      // The user is compared with the full token id, so without Sys.Audit a token sees nothing (platform-facts 7.2).
      if (!may(call, "/", "Sys.Audit")) return { data: [] }
      const rows = call.machine.tasks.all.toReversed().slice(0, 25).map((task) => ({
        upid: task.upid,
        node: task.parts.node,
        type: task.parts.type,
        id: task.parts.id,
        ...ownerOf(task.parts.user),
        starttime: task.parts.startTime,
        ...(task.endTime === undefined
          ? { pid: task.parts.pid }
          : { endtime: task.endTime, status: exitStatus(task), saved: "1" })
      }))
      return { data: rows }
    })
}

/** Tasks: lists, status, log, stop (platform-facts 4). */
export const endpoints: ReadonlyArray<Endpoint> = [list, index, status, log, stop, clusterTasks]
