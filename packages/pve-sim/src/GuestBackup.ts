import { parsePropertyString, propertyOf } from "@felhom/domain/PropertyString"
import { Clock, Effect } from "effect"
import { archivedConfig } from "./ArchivedConfig.ts"
import {
  archiveName,
  type Compression,
  dumpFolder,
  logDuration,
  logTime,
  packCommand,
  packing
} from "./BackupTarget.ts"
import { driveOption } from "./DriveText.ts"
import { archiveSize, tarTotals } from "./FileSystemLog.ts"
import { copyConfig, type Guest, nameOf, setRunning, volumesOf } from "./Guest.ts"
import { type Machine, nowSeconds } from "./Machine.ts"
import { markBackups, type Retention } from "./Prune.ts"
import { canSnapshot } from "./SnapshotFeature.ts"
import { fileSystemOf, occupy, pathOf, type StorageState } from "./StorageState.ts"
import type { TaskFailure, Worker } from "./TaskTable.ts"
import type { Volume } from "./Volume.ts"
import { checkLock, fail } from "./WorkerChecks.ts"

export const backupModes = ["snapshot", "suspend", "stop"] as const
export type BackupMode = typeof backupModes[number]

/** How each guest of a job is backed up. */
export interface BackupManner {
  readonly storage: StorageState
  readonly mode: BackupMode
  readonly compress: Compression
  readonly notesTemplate: string | undefined
  readonly protected: boolean
  /** What to prune afterwards; undefined: nothing. */
  readonly retention: Retention | undefined
}

const mountLines = (guest: Guest): ReadonlyArray<string> =>
  volumesOf(guest, guest.file.current).map(({ key, source, text }) => {
    const property = parsePropertyString(text)
    const path = key === "rootfs" ? "/" : propertyOf(property, "mp") ?? ""
    if (key === "rootfs") return `including mount point rootfs ('/') in backup`
    if (source.startsWith("/")) {
      const kind = source.startsWith("/dev/") ? "device" : "bind"
      return `excluding ${kind} mount point ${key} ('${path}') from backup (not a volume)`
    }
    return propertyOf(property, "backup") === "1"
      ? `including mount point ${key} ('${path}') in backup`
      : `excluding volume mount point ${key} ('${path}') from backup (disabled)`
  })

/** What of a machine's disks goes into its archive (qemu-server, VZDump/QemuServer.pm). */
const diskLines = (guest: Guest): ReadonlyArray<string> =>
  volumesOf(guest, guest.file.current).map(({ key, source, text }) =>
    driveOption(text, "backup") === "0"
      ? `exclude disk '${key}' '${source}' (backup=no)`
      : `include disk '${key}' '${source}' ${driveOption(text, "size") ?? ""}`.trimEnd()
  )

/** Paths of the volumes that are in the backup besides the root. */
const includedMounts = (guest: Guest): ReadonlyArray<string> =>
  volumesOf(guest, guest.file.current).flatMap(({ key, source, text }) => {
    const property = parsePropertyString(text)
    const included = key !== "rootfs" && !source.startsWith("/") && propertyOf(property, "backup") === "1"
    return included ? [propertyOf(property, "mp") ?? "/"] : []
  })

/** Whether all that goes into the archive can be snapshotted; what is left out does not matter (platform-facts 6.5). */
const canSnapshotIncluded = (machine: Machine, guest: Guest): boolean => {
  const included = { ...guest, file: { ...guest.file, current: copyConfig(guest.file.current) } }
  for (const { key, source, text } of volumesOf(guest, guest.file.current)) {
    const leftOut = key !== "rootfs" &&
      (source.startsWith("/") || propertyOf(parsePropertyString(text), "backup") !== "1")
    if (leftOut) included.file.current.values.delete(key)
  }
  return canSnapshot(machine, included)
}

const notesOf = (machine: Machine, guest: Guest, template: string): string =>
  template
    .replaceAll("{{guestname}}", nameOf(guest))
    .replaceAll("{{vmid}}", String(guest.vmid))
    .replaceAll("{{node}}", machine.node)
    .replaceAll("{{cluster}}", "standalone node")
    .replaceAll(/\\(n|\\)/g, (_, escaped: string) => (escaped === "n" ? "\n" : "\\"))

/** Where a suspended guest's files are copied to: beside the archive, unless its file system lacks what tar needs. */
const copyFolder = (machine: Machine, worker: Worker, guest: Guest, storage: StorageState, base: string): string =>
  fileSystemOf(machine.storages, pathOf(storage)) === "ext4"
    ? `${base}.tmp`
    : `/var/tmp/vzdumptmp${worker.pid}_${guest.vmid}`

const copyFiles = (worker: Worker, guest: Guest, storage: StorageState, folder: string) =>
  Effect.gen(function*() {
    const root = `/proc/${guest.pid}/root/`
    // One source for each mount point that is in the backup, the root first.
    const copied = ["", ...includedMounts(guest)].map((path) => `${root}/.${path === "" ? "/" : path}`)
    yield* worker.log(`INFO: starting first sync ${root} to ${folder}`)
    if (!folder.startsWith("/var/tmp/") && storage.avail < guest.bytes) {
      yield* worker.log(
        `ERROR: rsync: [receiver] write failed on "${folder}/bin/busybox": No space left on device (28)`
      )
      yield* worker.log("ERROR: rsync error: error in file IO (code 11) at receiver.c(657) [receiver=3.5.0]")
      yield* worker.log("ERROR: rsync: [sender] write error: Broken pipe (32)")
      return yield* fail(
        "command 'rsync --stats -h -X -A --numeric-ids -aH --delete --no-whole-file --sparse --one-file-system --relative " +
          `'--exclude=/tmp/?*' '--exclude=/var/tmp/?*' '--exclude=/var/run/?*.pid' ${
            copied.join(" ")
          } ${folder}' failed: exit code 11`
      )
    }
    yield* worker.take("100 millis")
    yield* worker.log(`INFO: first sync finished - transferred ${(guest.bytes / 1_237_000).toFixed(2)}M bytes in 0s`)
    yield* worker.log("INFO: suspending guest")
    yield* worker.log(`INFO: starting final sync ${root} to ${folder}`)
    yield* worker.take("50 millis")
    yield* worker.log("INFO: final sync finished - transferred 0 bytes in 0s")
    yield* worker.log("INFO: resuming guest")
    yield* worker.log("INFO: guest is online again after <1 seconds")
  })

/** Packs the archive; the partial one of a failure is removed, and nothing of it is ever listed. */
const pack = (machine: Machine, worker: Worker, guest: Guest, manner: BackupManner, seconds: number) =>
  Effect.gen(function*() {
    const { storage } = manner
    const { ratio, speed, suffix } = packing(manner.compress)
    const name = archiveName(machine, guest.type, guest.vmid, seconds)
    const base = `${dumpFolder(storage)}/${name}`
    const format = `${guest.type === "lxc" ? "tar" : "vma"}${suffix}`
    const failed = (why: string) => fail(`command '${packCommand(base, manner.compress)}' failed: ${why}`)
    yield* worker.log(`INFO: creating vzdump archive '${base}.${format}'`)
    yield* worker.take(411 + guest.bytes / speed * 1000).pipe(Effect.mapError(() => failed("interrupted by signal")))
    const size = Math.floor(guest.bytes * ratio)
    if (guest.type === "qemu") {
      if (storage.avail < size) return yield* fail("vma_queue_write: write error - Broken pipe")
      yield* worker.log(`INFO: transferred ${(guest.bytes / 1024 ** 2).toFixed(2)} MiB in <1 seconds`)
    } else yield* worker.log(`INFO: ${tarTotals("written", guest.bytes)}`)
    if (storage.avail < size) {
      if (manner.compress === "zstd") {
        yield* worker.log("INFO: zstd: error 70 : Write error : cannot write block : No space left on device ")
      }
      return yield* failed(manner.compress === "zstd" ? "exit code 70" : "exit code 1")
    }
    yield* worker.log(`INFO: archive file size: ${archiveSize(size)}`)
    occupy(storage, size)
    const volume: Volume = {
      volid: `${storage.storage}:backup/${name}.${format}`,
      content: "backup",
      format,
      size,
      ctime: seconds,
      vmid: guest.vmid,
      subtype: guest.type,
      notes: undefined,
      protected: false,
      archive: {
        config: archivedConfig(guest),
        bytes: guest.bytes,
        firewall: machine.firewalls.get(guest.vmid),
        truncated: false
      }
    }
    const others = (machine.content.get(storage.storage) ?? []).filter(({ volid }) => volid !== volume.volid)
    machine.content.set(storage.storage, [...others, volume])
    return volume
  })

const prune = (machine: Machine, worker: Worker, guest: Guest, manner: BackupManner) =>
  Effect.gen(function*() {
    const { retention, storage } = manner
    if (retention === undefined || retention.all) return
    const keeps = Array.from(retention.keep, ([bucket, count]) => `keep-${bucket}=${count}`).sort()
    yield* worker.log(`INFO: prune older backups with retention: ${keeps.join(", ")}`)
    const { localtime, time } = machine.world.taken_at_unix
    const mine = (machine.content.get(storage.storage) ?? []).filter((volume) =>
      volume.content === "backup" && volume.vmid === guest.vmid && volume.subtype === guest.type
    )
    const marks = markBackups(mine, retention, localtime - time)
    let pruned = 0
    for (const volume of mine) {
      if (marks.get(volume) !== "remove") continue
      yield* worker.log(`INFO: removing backup '${volume.volid}'`)
      removeVolume(machine, volume)
      pruned++
    }
    yield* worker.log(`INFO: pruned ${pruned} backup(s) not covered by keep-retention policy`)
  })

/** Takes a volume off its storage. */
export const removeVolume = (machine: Machine, volume: Volume): void => {
  const storage = volume.volid.slice(0, volume.volid.indexOf(":"))
  machine.content.set(storage, (machine.content.get(storage) ?? []).filter((one) => one !== volume))
  const state = machine.storages.get(storage)
  if (state !== undefined && volume.content === "backup") occupy(state, -volume.size)
}

const stopped = (guest: Guest) => Effect.map(Clock.currentTimeMillis, (now) => setRunning(guest, false, now, 0))

const started = (guest: Guest) =>
  Effect.map(Clock.currentTimeMillis, (now) => setRunning(guest, true, now, 500 + guest.vmid))

const announceMode = (worker: Worker, mode: string) =>
  Effect.forEach([`backup mode: ${mode}`, "ionice priority: 7"], (line) => worker.log(`INFO: ${line}`), {
    discard: true
  })

const announceGuest = (worker: Worker, guest: Guest) =>
  Effect.forEach(
    [
      `${guest.type === "lxc" ? "CT" : "VM"} Name: ${nameOf(guest)}`,
      ...(guest.type === "lxc" ? mountLines(guest) : diskLines(guest))
    ],
    (line) => worker.log(`INFO: ${line}`),
    { discard: true }
  )

/** The archive, in the mode that the guest's state and its volumes allow. */
const inMode = (machine: Machine, worker: Worker, guest: Guest, manner: BackupManner, seconds: number) =>
  Effect.gen(function*() {
    const packed = pack(machine, worker, guest, manner, seconds)
    if (!guest.running) {
      yield* announceMode(worker, "stop")
      yield* announceGuest(worker, guest)
      return yield* packed
    }
    let mode = manner.mode
    // A machine is backed up by its own qemu while it runs, whatever its storages can.
    if (guest.type === "qemu" && mode !== "stop") {
      yield* announceMode(worker, mode)
      yield* announceGuest(worker, guest)
      return yield* packed
    }
    if (mode === "snapshot") {
      yield* announceGuest(worker, guest)
      if (canSnapshotIncluded(machine, guest)) {
        yield* announceMode(worker, "snapshot")
        yield* worker.log("INFO: create storage snapshot 'vzdump'")
        const section = copyConfig(guest.file.current)
        section.description = "vzdump backup snapshot"
        section.values.set("snaptime", String(seconds))
        guest.file.snapshots.set("vzdump", section)
        const cleanUp = Effect.suspend(() => {
          guest.file.snapshots.delete("vzdump")
          return worker.log("INFO: cleanup temporary 'vzdump' snapshot")
        })
        return yield* packed.pipe(Effect.tapBoth({ onFailure: () => cleanUp, onSuccess: () => cleanUp }))
      }
      yield* worker.log("INFO: mode failure - some volumes do not support snapshots")
      yield* worker.log("INFO: trying 'suspend' mode instead")
      mode = "suspend"
    }
    yield* announceMode(worker, mode)
    yield* announceGuest(worker, guest)
    if (mode === "suspend") {
      const base = `${dumpFolder(manner.storage)}/${archiveName(machine, guest.type, guest.vmid, seconds)}`
      yield* copyFiles(worker, guest, manner.storage, copyFolder(machine, worker, guest, manner.storage, base))
      return yield* packed
    }
    yield* worker.log("INFO: stopping virtual guest")
    const since = yield* nowSeconds
    yield* worker.take("1500 millis")
    yield* stopped(guest)
    const restart = Effect.gen(function*() {
      yield* worker.log("INFO: restarting vm")
      yield* worker.take("1500 millis").pipe(Effect.ignore)
      yield* started(guest)
      yield* worker.log(`INFO: guest is online again after ${(yield* nowSeconds) - since} seconds`)
    })
    return yield* packed.pipe(Effect.tapBoth({ onFailure: () => restart, onSuccess: () => restart }))
  })

/**
 * Backs up one guest: its part of the job's log, its config lock while it lasts, and the clean-up of a failure. A worker
 * that is killed leaves the lock.
 */
export const backUpGuest = (
  machine: Machine,
  worker: Worker,
  guest: Guest,
  manner: BackupManner
): Effect.Effect<void, TaskFailure> =>
  Effect.gen(function*() {
    const began = yield* nowSeconds
    if (guest.type === "lxc") {
      const kind = fileSystemOf(machine.storages, pathOf(manner.storage))
      if (kind !== "ext4") {
        yield* worker.log(
          `INFO: filesystem type on dumpdir is '${kind}' -using ${
            copyFolder(machine, worker, guest, manner.storage, "")
          } for temporary files`
        )
      }
    }
    yield* worker.log(`INFO: Starting Backup of VM ${guest.vmid} (${guest.type})`)
    yield* worker.log(`INFO: Backup started at ${yield* logTime(machine)}`)
    yield* worker.log(`INFO: status = ${guest.running ? "running" : "stopped"}`)
    yield* guest.fileLock.hold(fail, worker)(Effect.zipRight(
      checkLock(guest),
      Effect.sync(() => {
        guest.file.current.values.set("lock", "backup")
      })
    ))
    const unlock = Effect.sync(() => {
      guest.file.current.values.delete("lock")
    })
    const volume = yield* inMode(machine, worker, guest, manner, began).pipe(
      Effect.tapBoth({ onFailure: () => unlock, onSuccess: () => unlock })
    )
    if (manner.notesTemplate !== undefined) {
      yield* worker.log("INFO: adding notes to backup")
      volume.notes = notesOf(machine, guest, manner.notesTemplate)
    }
    if (manner.protected) {
      yield* worker.log("INFO: marking backup as protected")
      volume.protected = true
    }
    yield* prune(machine, worker, guest, manner)
    yield* worker.log(`INFO: Finished Backup of VM ${guest.vmid} (${logDuration((yield* nowSeconds) - began)})`)
    yield* worker.log(`INFO: Backup finished at ${yield* logTime(machine)}`)
  })
