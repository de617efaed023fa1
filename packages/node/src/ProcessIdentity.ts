import { Schema } from "effect"
import { readFileSync, readlinkSync } from "node:fs"

/**
 * Names one process among all that ever ran: a pid is given away again, its start time in clock ticks since the boot is not,
 * and neither means anything in another boot or another pid namespace. Null: the system does not tell.
 */
export const ProcessIdentity = Schema.Struct({
  pid: Schema.Int.pipe(Schema.positive()),
  startTicks: Schema.NullOr(Schema.String),
  bootId: Schema.NullOr(Schema.String),
  pidNamespace: Schema.NullOr(Schema.String)
})
export type ProcessIdentity = typeof ProcessIdentity.Type

const orNull = (read: () => string): string | null => {
  try {
    return read()
  } catch {
    // Not Linux, or no such process: both mean that there is nothing to tell.
    return null
  }
}

/** Start time of a process in ticks since the boot, or null when there is none, or it is hidden. */
const startTicksOf = (pid: number): string | null =>
  orNull(() => {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
    // The second field is the program's name in brackets, and may hold spaces and brackets itself: proc_pid_stat(5).
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? ""
  })

const bootId = (): string | null => orNull(() => readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim())

export const ownIdentity = (): ProcessIdentity => ({
  pid: process.pid,
  startTicks: startTicksOf(process.pid),
  bootId: bootId(),
  pidNamespace: orNull(() => readlinkSync("/proc/self/ns/pid"))
})

const exists = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // Another user's process can't be signalled, but it is there.
    return error instanceof Error && "code" in error && error.code === "EPERM"
  }
}

/** Whether that process may still run. In doubt it does. */
export const mayBeAlive = (other: ProcessIdentity): boolean => {
  const own = ownIdentity()
  if (other.bootId !== own.bootId) return false
  if (other.pidNamespace !== own.pidNamespace) return true
  const startTicks = startTicksOf(other.pid)
  return startTicks === null || other.startTicks === null ? exists(other.pid) : startTicks === other.startTicks
}
