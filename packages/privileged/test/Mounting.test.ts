import { describe, it } from "@effect/vitest"
import {
  DiskMark,
  type FilesystemUuid,
  type MarkRule,
  type MountName,
  type MountRequest
} from "@felhom/privileged/Mount"
import { mountVerb } from "@felhom/privileged/MountDirect"
import { unitText } from "@felhom/privileged/MountUnit"
import { Effect } from "effect"
import * as TestClock from "effect/TestClock"
import { expect } from "vitest"
import { device, diskOf, type Faults, ModelHost } from "./ModelHost.ts"

const uuid = "1741368e-c387-42cc-8971-e25211e7e768" as FilesystemUuid
const name = "backup-1" as MountName
const unit = "mnt-felhom-backup\\x2d1.mount"
const at = "/mnt/felhom/backup-1"
const nothing = { files: [], mounts: [], enabled: [] }

const ask = (host: ModelHost, request: MountRequest) => Effect.provide(mountVerb(request), host.layer)
const mount = (host: ModelHost) => ask(host, { action: "mount", uuid, name })
const eject = (host: ModelHost) => ask(host, { action: "eject", name })

const failing: ReadonlyArray<readonly [what: string, faults: Faults, words: string]> = [
  ["the unit file can't be written", { unwritable: true }, "ENOSPC"],
  [
    "PID 1 does not reread its units",
    { systemctl: { "daemon-reload": { exitCode: 1, stderr: "Access denied" } } },
    "Access denied"
  ],
  ["the file system is damaged", { systemctl: { start: { exitCode: 1, stderr: "bad superblock" } } }, "bad superblock"],
  ["systemctl says that it was mounted, and it was not", { mountsNothing: true }, "the kernel knows of no such mount"],
  ["it was mounted with other options than were asked for", { options: "nosuid,nodev" }, "without noexec"],
  [
    "the unit can't be enabled",
    { systemctl: { enable: { exitCode: 1, stderr: "Read-only file system" } } },
    "Read-only"
  ],
  ["there is no systemctl", { systemctl: { start: "absent" } }, "does not run systemd"]
]

describe("a disk", () => {
  it.effect("is mounted by a unit file of its own, which PID 1 starts, the kernel proves, and its disk then wants", () =>
    Effect.gen(function*() {
      const host = new ModelHost()
      expect(yield* mount(host)).toEqual({ action: "mount", mountPoint: at })
      expect(host.verbs).toEqual(["/usr/bin/lsblk", "daemon-reload", `start ${unit}`, `enable ${unit}`])
      expect(host.files.get(unit)).toBe(unitText({ uuid, name, type: "ext4" }))
      expect(host.traces).toEqual({ files: [unit], mounts: [at], enabled: [unit] })
    }))

  it.effect("that is mounted already under that name is as it should be, however often it is asked for", () =>
    Effect.gen(function*() {
      const host = new ModelHost()
      yield* mount(host)
      const before = host.ran.length
      host.devices = [diskOf(device({ mountpoints: [at] }))]
      expect(yield* mount(host)).toEqual({ action: "mount", mountPoint: at })
      expect(host.verbs.slice(before)).toEqual(["/usr/bin/lsblk"])
      host.mounts.set(at, { source: "/dev/sdb1", options: "rw" })
      expect((yield* Effect.flip(mount(host))).message).toContain("without nosuid, nodev, noexec")
    }))

  it.effect("whose mount was cut short by a crash is mounted when it is asked for again", () =>
    Effect.gen(function*() {
      const host = new ModelHost()
      host.files.set(unit, unitText({ uuid, name, type: "ext4" }))
      yield* mount(host)
      expect(host.traces).toEqual({ files: [unit], mounts: [at], enabled: [unit] })
    }))

  for (const [what, faults, words] of failing) {
    it.effect(`leaves nothing behind when ${what}`, () =>
      Effect.gen(function*() {
        const host = new ModelHost(undefined, faults)
        const error = yield* Effect.flip(mount(host))
        expect(error.message).toContain(words)
        expect(host.traces).toEqual(nothing)
      }))
  }

  it.effect("that could neither be mounted nor be taken back says both, and what to look at", () =>
    Effect.gen(function*() {
      const host = new ModelHost(undefined, { options: "", unmountsNothing: true })
      const { message } = yield* Effect.flip(mount(host))
      expect(message).toContain("without nosuid, nodev, noexec. It could not be taken back, either")
      expect(message).toContain(`systemctl status ${unit}`)
      expect(host.traces).toEqual({ files: [unit], mounts: [at], enabled: [] })
    }))

  it.effect("that PID 1 waits for without end is given up, and told as that", () =>
    Effect.gen(function*() {
      const host = new ModelHost(undefined, { systemctl: { start: "hangs" } })
      const asked = yield* Effect.fork(Effect.flip(mount(host)))
      yield* TestClock.adjust("110 seconds")
      const { message } = yield* asked
      expect(message).toContain(`/usr/bin/systemctl had not ended after 110 s`)
      expect(host.traces).toEqual(nothing)
    }))

  it.effect("is not mounted under a name, or at a place, that something else has", () =>
    Effect.gen(function*() {
      const other = "2741368e-c387-42cc-8971-e25211e7e768" as FilesystemUuid
      const named = new ModelHost()
      named.files.set(unit, unitText({ uuid: other, name, type: "xfs" }))
      expect((yield* Effect.flip(mount(named))).message).toContain(`is the name of the disk ${other}`)
      const foreign = new ModelHost()
      foreign.files.set(unit, `${unitText({ uuid, name, type: "ext4" })}# by hand\n`)
      expect((yield* Effect.flip(mount(foreign))).message).toContain("written by somebody else")
      expect((yield* Effect.flip(eject(foreign))).message).toContain("written by somebody else")
      const placed = new ModelHost()
      placed.mounts.set(at, { source: "nas:/export", options: "" })
      expect((yield* Effect.flip(mount(placed))).message).toContain("nas:/export is mounted there")
      for (const host of [named, foreign, placed]) expect(host.verbs).not.toContain("daemon-reload")
    }))

  it.effect("that is not plugged in, or is refused, is told so before anything is written", () =>
    Effect.gen(function*() {
      const gone = new ModelHost([])
      expect(yield* Effect.flip(mount(gone))).toMatchObject({
        reason: "refused",
        detail: expect.stringContaining("is plugged in")
      })
      const system = new ModelHost([diskOf(device(), device({ path: "/dev/sdb2", mountpoints: ["/"] }))])
      expect(yield* Effect.flip(mount(system))).toMatchObject({
        reason: "refused",
        detail: expect.stringContaining("disk of this system")
      })
      expect([gone, system].map(({ verbs }) => verbs)).toEqual([["/usr/bin/lsblk"], ["/usr/bin/lsblk"]])
    }))

  it.effect("is ejected with all that mounting left", () =>
    Effect.gen(function*() {
      const host = new ModelHost()
      yield* mount(host)
      expect(yield* eject(host)).toEqual({ action: "eject", mountPoint: at })
      expect(host.traces).toEqual(nothing)
      expect(yield* Effect.flip(eject(host))).toMatchObject({
        reason: "refused",
        detail: "no disk is mounted under the name backup-1"
      })
    }))

  it.effect("that is in use stays as it was, and it is told how to find who uses it", () =>
    Effect.gen(function*() {
      const host = new ModelHost()
      yield* mount(host)
      host.faults = { unmountsNothing: true, systemctl: { stop: { exitCode: 1, stderr: "target is busy" } } }
      const { message } = yield* Effect.flip(eject(host))
      expect(message).toContain("target is busy")
      expect(message).toContain(`fuser --mount ${at}`)
      expect(host.traces).toEqual({ files: [unit], mounts: [at], enabled: [unit] })
    }))

  it.effect("is not listed from an answer of lsblk's that is in another form", () =>
    Effect.gen(function*() {
      const host = new ModelHost([{ path: "/dev/sda" }])
      expect(yield* Effect.flip(ask(host, { action: "list" }))).toMatchObject({
        reason: "malformed",
        detail: expect.stringContaining("lsblk answered in a form that is not known here")
      })
    }))
})

describe("a disk that has to show its mark", () => {
  const mark = DiskMark.make("a".repeat(32))
  const marked = (host: ModelHost, rule: MarkRule["rule"], of = mark) =>
    ask(host, { action: "mount", uuid, name, marked: { rule, mark: of } })
  const file = `${at}/.felhom-disk`

  it.effect("gets one where it has none, and shows it from then on", () =>
    Effect.gen(function*() {
      const host = new ModelHost()
      expect(yield* marked(host, "fresh")).toEqual({ action: "mount", mountPoint: at, mark })
      expect(host.marks.get(file)).toContain(mark)
      host.devices = [diskOf(device({ mountpoints: [at] }))]
      expect(yield* marked(host, "same")).toEqual({ action: "mount", mountPoint: at, mark })
    }))

  it.effect("is not left mounted where it is another one's, or has none any more", () =>
    Effect.gen(function*() {
      const host = new ModelHost()
      const without = yield* Effect.flip(marked(host, "same"))
      expect(without).toMatchObject({ reason: "refused", detail: expect.stringContaining("not our mark") })
      expect(host.traces).toEqual(nothing)
      host.marks.set(file, JSON.stringify({ typ: "felhom/disk/v1", mark: "b".repeat(32) }))
      expect(yield* Effect.flip(marked(host, "fresh"))).toMatchObject({
        detail: expect.stringContaining("another mark")
      })
      expect(host.traces).toEqual(nothing)
      expect(yield* marked(host, "any")).toMatchObject({ mark: "b".repeat(32) })
    }))

  it.effect("is not left mounted where the mark can't be written; what can't be taken back is told", () =>
    Effect.gen(function*() {
      const host = new ModelHost()
      host.unmarkable = true
      expect(yield* Effect.flip(marked(host, "fresh"))).toMatchObject({ detail: expect.stringContaining("EROFS") })
      expect(host.traces).toEqual(nothing)
      host.faults = { unmountsNothing: true }
      expect(yield* Effect.flip(marked(host, "fresh"))).toMatchObject({
        reason: "failed",
        detail: expect.stringContaining("It is still mounted, as it could not be taken back")
      })
    }))
})
