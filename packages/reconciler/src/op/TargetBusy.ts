import { formatGuestRef, type Volid } from "@felhom/domain/ProxmoxId"
import type { SignedOp } from "@felhom/domain/SignedOp"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import type { ProxmoxError } from "@felhom/proxmox/ProxmoxError"
import type { TaskRow } from "@felhom/proxmox/TaskRows"
import { Effect } from "effect"
import { volumeRow } from "./Expectation.ts"
import { guestInCluster } from "./GuestInCluster.ts"

/** What has the target of an op at present, in words that follow "waits: ". */
export interface Busy {
  /** Another one is something else that is waited for. */
  readonly key: string
  readonly why: string
}

type Looked = Effect.Effect<Busy | undefined, ProxmoxError, ProxmoxClient>

const free: Busy | undefined = undefined

/**
 * Tasks that work on a guest (platform-facts 4.1): not those that only show it, such as `vncproxy`, which last as long as
 * somebody looks at its console.
 */
const worksOnGuest = /^(?:vzdump|resize|move_volume|ha(?:start|stop|migrate)|(?:vz|qm)(?!.*proxy)[a-z]+)$/

/** An `id` is the vmid; of a moved volume it begins with that or has it behind `>`; of a backup of several guests it is empty. */
const isOf = ({ id, type }: TaskRow, vmid: number): boolean =>
  id === null || id === "" ? type === "vzdump" : id.split(">").some((part) => part.split("-")[0] === String(vmid))

const since = (seconds: number): string => new Date(seconds * 1000).toISOString()

const running = Effect.gen(function*() {
  const client = yield* ProxmoxClient
  const { rows } = yield* client.tasks({ source: "active", limit: 500 })
  return rows.filter(({ endtime }) => endtime === null)
})

/** Of a guest that another node has, that node's host can tell. */
const lockHere = (vmid: number) =>
  Effect.gen(function*() {
    const client = yield* ProxmoxClient
    const guest = yield* guestInCluster(vmid)
    return guest === undefined || guest.node !== client.node || guest.lock === null
      ? undefined
      : { guest, lock: guest.lock }
  })

interface Holds {
  readonly lock: (lock: string) => boolean
  readonly task: boolean
}

/** What makes Proxmox refuse (platform-facts 5.8). A hard stop is there to end a task that hangs, so it waits for none. */
const holding = (op: SignedOp): Holds =>
  op.op === "guest.stop_hard" ? { lock: (lock) => lock !== "mounted", task: false } : { lock: () => true, task: true }

/** What makes Proxmox refuse most of what is done to a guest, or would be spoilt by it: any lock, any task that works on it. */
export const guestInUse = (vmid: number): Looked => guestBusy(vmid, { lock: () => true, task: true })

const guestBusy = (vmid: number, holds: Holds): Looked =>
  Effect.gen(function*() {
    const found = yield* lockHere(vmid)
    const locked = found !== undefined && holds.lock(found.lock) ? found : undefined
    if (locked === undefined && !holds.task) return free
    const tasks = (yield* running).filter((task) => worksOnGuest.test(task.type) && isOf(task, vmid))
    // A backup of several guests is about those that have its lock.
    const task = tasks.find(({ id }) => id !== null && id !== "") ??
      (locked?.lock === "backup" ? tasks.find(({ type }) => type === "vzdump") : undefined)
    if (locked === undefined) {
      return task === undefined ? free : {
        key: task.upid,
        why: `a task of guest ${vmid} runs since ${since(task.starttime)}: ${task.type} ${task.upid}`
      }
    }
    const { guest, lock } = locked
    const name = formatGuestRef(guest)
    if (task !== undefined) {
      return {
        key: `${lock} ${task.upid}`,
        why: `${name} is locked (${lock}); ${task.type} runs since ${since(task.starttime)}: ${task.upid}`
      }
    }
    // The task may have ended between the two readings, and taken its lock along.
    if ((yield* lockHere(vmid))?.lock !== lock) return free
    const unlock = `${guest.type === "lxc" ? "pct" : "qm"} unlock ${vmid}`
    return {
      key: `${lock} left behind`,
      why:
        `${name} is locked (${lock}), and no task of it runs: if nobody works on it, the lock was left behind, and root ` +
        `clears it on the host with ${unlock}`
    }
  })

/** The part of a volid by which a restore's log names the archive: of a file its name, of a snapshot its path. */
const nameInLogs = (archive: Volid): string => {
  const path = archive.slice(archive.indexOf(":") + 1).replace(/^backup\//, "")
  return path.slice(path.lastIndexOf("/dump/") + 1)
}

const namesAnArchive = /vzdump-|backup\//

/** Proxmox takes an archive away under a restore that reads it, and the guest that is restored over is gone by then. */
const archiveBusy = (archive: Volid): Looked =>
  Effect.gen(function*() {
    const client = yield* ProxmoxClient
    const restores = (yield* running).filter(({ type }) => type === "vzrestore" || type === "qmrestore")
    for (const { id, starttime, type, upid } of restores) {
      const log = yield* client.taskLog(upid, { start: 0, limit: 50 })
      const text = log.rows.map(({ t }) => t ?? "").join("\n")
      // One that has not said yet what it reads may read this.
      if (namesAnArchive.test(text) && !text.includes(nameInLogs(archive))) continue
      return {
        key: upid,
        why: `guest ${id ?? "?"} is being restored from it since ${since(starttime)}: ${type} ${upid}`
      }
    }
    return free
  })

/**
 * What has the op's target now, so that Proxmox would refuse the call or somebody else's work would be spoilt by it; undefined
 * when nothing has. Costs two or three requests, none of which the host's root daemon sees but for volumes and archives.
 */
export const targetBusy = (op: SignedOp): Looked => {
  if ("guest" in op.target) return guestBusy(op.target.guest.vmid, holding(op))
  if (op.op === "backup.delete") return archiveBusy(op.target.volid)
  if (op.op !== "volume.delete") return Effect.succeed(free)
  return Effect.flatMap(
    volumeRow(op),
    (row) => row === undefined || row.vmid === null ? Effect.succeed(free) : guestBusy(row.vmid, holding(op))
  )
}
