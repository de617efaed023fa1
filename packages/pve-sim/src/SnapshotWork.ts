import { Clock, Effect } from "effect"
import { copyConfig, type Guest, isTemplate, setRunning, volumesOf } from "./Guest.ts"
import { emptySection, type GuestSection } from "./GuestFile.ts"
import type { Machine } from "./Machine.ts"
import { startGuest } from "./PowerWork.ts"
import { canSnapshot, rollbackBlocked } from "./SnapshotFeature.ts"
import type { TaskFailure, Worker } from "./TaskTable.ts"
import { checkLock, fail, workOn } from "./WorkerChecks.ts"

interface Target {
  readonly type: "lxc" | "qemu"
  readonly vmid: number
  readonly name: string
}

const unlock = (guest: Guest): void => {
  guest.file.current.values.delete("lock")
}

const what = (guest: Guest): string => guest.type === "lxc" ? "CT" : "VM"

/** Makes the volume for a virtual machine's memory, next to its first disk: as large as the memory, and then some. */
const allocateState = (machine: Machine, guest: Guest, name: string, now: number): string => {
  const beside = volumesOf(guest, guest.file.current)[0]?.source.split(":")[0]
  const storage = guest.file.current.values.get("vmstatestorage") ?? beside ?? "local"
  const state = machine.storages.get(storage)
  const asFile = state?.config["path"] !== undefined
  const volume = `vm-${guest.vmid}-state-${name}${asFile ? ".raw" : ""}`
  const volid = `${storage}:${asFile ? `${guest.vmid}/` : ""}${volume}`
  const mebibytes = Number(guest.file.current.values.get("memory") ?? "512") * 2 + 500
  machine.content.set(storage, [...machine.content.get(storage) ?? [], {
    volid,
    content: "images",
    format: "raw",
    size: mebibytes * 1024 * 1024,
    ctime: now,
    vmid: guest.vmid,
    subtype: undefined,
    notes: undefined,
    protected: false
  }])
  return volid
}

const dropState = (machine: Machine, section: GuestSection): void => {
  const volid = section.values.get("vmstate")
  if (volid === undefined) return
  const storage = volid.slice(0, volid.indexOf(":"))
  machine.content.set(storage, (machine.content.get(storage) ?? []).filter((one) => one.volid !== volid))
}

/**
 * prepare (lock, entry with `snapstate: prepare`), the storage's work, commit. A worker that is killed in between leaves
 * both behind; one that fails takes them back.
 */
export const createSnapshot = (
  machine: Machine,
  worker: Worker,
  target: Target & { readonly description: string | undefined; readonly vmstate: boolean }
): Effect.Effect<void, TaskFailure> =>
  Effect.gen(function*() {
    const guest = yield* workOn(machine, target)
    const locked = guest.fileLock.hold(fail, worker)
    const section: GuestSection = emptySection()
    yield* locked(Effect.gen(function*() {
      if (isTemplate(guest)) return yield* fail(`you can't take a snapshot if it's a template`)
      yield* checkLock(guest)
      if (guest.file.snapshots.has(target.name)) return yield* fail(`snapshot name '${target.name}' already used`)
      if (!canSnapshot(machine, guest)) return yield* fail("snapshot feature is not available")
      const now = yield* Clock.currentTimeMillis
      copyConfig(guest.file.current, section)
      section.description = target.description
      section.values.set("snaptime", String(Math.floor(now / 1000)))
      section.values.set("snapstate", "prepare")
      if (target.vmstate && guest.running) {
        section.values.set("vmstate", allocateState(machine, guest, target.name, Math.floor(now / 1000)))
      }
      guest.file.current.values.set("lock", "snapshot")
      guest.file.snapshots.set(target.name, section)
      // Reading and writing the config file takes time that others wait for.
      yield* worker.take("60 millis")
    }))
    const undo = Effect.sync(() => {
      dropState(machine, section)
      guest.file.snapshots.delete(target.name)
      unlock(guest)
    })
    yield* worker.take("200 millis").pipe(Effect.tapError(() => undo))
    yield* locked(Effect.sync(() => {
      section.values.delete("snapstate")
      unlock(guest)
      guest.file.current.values.set("parent", target.name)
      if (guest.running) guest.takenRunning.add(target.name)
      else guest.takenRunning.delete(target.name)
    }))
  })

/** Removes the entry, and hangs its children on its own parent. */
export const deleteSnapshot = (machine: Machine, worker: Worker, target: Target): Effect.Effect<void, TaskFailure> =>
  Effect.gen(function*() {
    const guest = yield* workOn(machine, target)
    const locked = guest.fileLock.hold(fail, worker)
    const section = yield* locked(Effect.gen(function*() {
      const found = guest.file.snapshots.get(target.name)
      if (found === undefined) return yield* fail(`snapshot '${target.name}' does not exist`)
      if (isTemplate(guest)) return yield* fail(`can't delete snapshot - ${what(guest)} is a template`)
      yield* checkLock(guest)
      guest.file.current.values.set("lock", "snapshot-delete")
      found.values.set("snapstate", "delete")
      return found
    }))
    yield* worker.take("150 millis")
    yield* locked(Effect.sync(() => {
      const parent = section.values.get("parent")
      for (const other of [guest.file.current, ...guest.file.snapshots.values()]) {
        if (other.values.get("parent") !== target.name) continue
        if (parent === undefined) other.values.delete("parent")
        else other.values.set("parent", parent)
      }
      dropState(machine, section)
      guest.file.snapshots.delete(target.name)
      guest.takenRunning.delete(target.name)
      unlock(guest)
    }))
  })

/** Volumes that the guest got after the snapshot: they stay, and nothing uses them any more. */
const newSince = (guest: Guest, snapshot: GuestSection): ReadonlyArray<string> => {
  const then = new Set(volumesOf(guest, snapshot).map(({ source }) => source))
  return volumesOf(guest, guest.file.current).flatMap(({ source }) =>
    source.startsWith("/") || then.has(source) ? [] : [source]
  )
}

const addUnused = (section: GuestSection, volid: string): void => {
  if (Array.from(section.values).some(([key, value]) => key.startsWith("unused") && value === volid)) return
  let number = 0
  while (section.values.has(`unused${number}`)) number++
  section.values.set(`unused${number}`, volid)
}

/**
 * Puts the snapshot's configuration and volumes back. A running container is killed, not asked; the description of now stays
 * (platform-facts 5.11).
 */
export const rollback = (
  machine: Machine,
  worker: Worker,
  target: Target & { readonly start: boolean; readonly user: string }
): Effect.Effect<void, TaskFailure> =>
  Effect.gen(function*() {
    const guest = yield* workOn(machine, target)
    const locked = guest.fileLock.hold(fail, worker)
    const snapshot = yield* locked(Effect.gen(function*() {
      if (isTemplate(guest)) return yield* fail("you can't rollback if vm is a template")
      const found = guest.file.snapshots.get(target.name)
      if (found === undefined) return yield* fail(`snapshot '${target.name}' does not exist`)
      const state = found.values.get("snapstate")
      if (state !== undefined) return yield* fail(`unable to rollback to incomplete snapshot (snapstate = ${state})`)
      const blocked = rollbackBlocked(machine, guest, target.name)
      if (blocked !== undefined) return yield* fail(blocked)
      yield* checkLock(guest)
      if (guest.running) {
        yield* worker.take("800 millis")
        setRunning(guest, false, yield* Clock.currentTimeMillis, 0)
      }
      guest.file.current.values.set("lock", "rollback")
      return found
    }))
    yield* worker.take("150 millis")
    yield* locked(Effect.sync(() => {
      const back = copyConfig(snapshot)
      for (const [key, value] of guest.file.current.values) if (/^unused\d+$/.test(key)) back.values.set(key, value)
      for (const volid of newSince(guest, snapshot)) addUnused(back, volid)
      back.description = guest.file.current.description
      back.values.set("parent", target.name)
      guest.file.current = back
      guest.file.pending = new Map()
      guest.mountBusy = guest.type === "lxc" && guest.takenRunning.has(target.name)
    }))
    // A virtual machine goes on from the memory that was saved with the snapshot.
    if (snapshot.values.has("vmstate")) {
      return setRunning(guest, true, yield* Clock.currentTimeMillis, 500 + guest.vmid)
    }
    // The start is a task of its own, which this one does not wait for.
    if (target.start) yield* startGuest(machine, guest, target.user)
  })
