import { Clock, Effect } from "effect"
import * as AccessConsole from "./AccessConsole.ts"
import { removeGuest } from "./api/Lifecycle.ts"
import { type ConsoleChange, ConsoleRefused } from "./ConsoleChange.ts"
import { bytesOf, copyConfig, type Guest, makeGuest, setRunning } from "./Guest.ts"
import { parseGuestFile } from "./GuestFile.ts"
import { allocateVolume, normaliseNet, normaliseTags } from "./LxcValues.ts"
import { type Machine, takeTime } from "./Machine.ts"
import { provision, reserve } from "./RestoreWork.ts"
import { canSnapshot } from "./SnapshotFeature.ts"
import * as StorageConsole from "./StorageConsole.ts"
import type { Worker } from "./TaskTable.ts"

const guestOf = (machine: Machine, vmid: number): Effect.Effect<Guest, ConsoleRefused> =>
  Effect.suspend(() => {
    const guest = machine.guests.get(vmid)
    return guest === undefined
      ? Effect.fail(new ConsoleRefused({ reason: "no-such-guest", what: String(vmid) }))
      : Effect.succeed(guest)
  })

const takeSnapshot = (machine: Machine, guest: Guest, name: string, description: string) =>
  Effect.gen(function*() {
    if (guest.file.snapshots.has(name) || !canSnapshot(machine, guest)) {
      return yield* new ConsoleRefused({ reason: "snapshot-impossible", what: `${name} of ${guest.vmid}` })
    }
    const section = copyConfig(guest.file.current)
    section.description = description === "" ? undefined : description
    section.values.set("snaptime", String(Math.floor((yield* Clock.currentTimeMillis) / 1000)))
    guest.file.snapshots.set(name, section)
    guest.file.current.values.set("parent", name)
    if (guest.running) guest.takenRunning.add(name)
  })

const dropSnapshot = (guest: Guest, name: string) =>
  Effect.gen(function*() {
    const section = guest.file.snapshots.get(name)
    if (section === undefined) {
      return yield* new ConsoleRefused({ reason: "no-such-snapshot", what: `${name} of ${guest.vmid}` })
    }
    const parent = section.values.get("parent")
    for (const other of [guest.file.current, ...guest.file.snapshots.values()]) {
      if (other.values.get("parent") !== name) continue
      if (parent === undefined) other.values.delete("parent")
      else other.values.set("parent", parent)
    }
    guest.file.snapshots.delete(name)
  })

const setKey = (machine: Machine, guest: Guest, key: string, value: string | null): Effect.Effect<void> =>
  Effect.gen(function*() {
    const { values } = guest.file.current
    if (key === "description") guest.file.current.description = value ?? undefined
    else if (value === null) values.delete(key)
    else values.set(key, yield* asWritten(machine, guest, key, value))
  })

/** A value as pct writes it: a volume given as `STORAGE:GiB` is made, cards get addresses, tags are sorted. */
const asWritten = (machine: Machine, guest: Guest, key: string, text: string): Effect.Effect<string> =>
  Effect.gen(function*() {
    if (key === "tags") return normaliseTags(text)
    if (guest.type === "qemu") return text
    if (/^net\d+$/.test(key)) return yield* normaliseNet(machine, text)
    const [, storage, gibibytes] = /^([^:/,]+):(\d+(?:\.\d+)?)(?=,|$)/.exec(text) ?? []
    if (!/^(?:rootfs|mp\d+)$/.test(key) || storage === undefined || gibibytes === undefined) return text
    const mebibytes = Math.round(Number(gibibytes) * 1024)
    const size = mebibytes % 1024 === 0 ? `${mebibytes / 1024}G` : `${mebibytes}M`
    const now = Math.floor((yield* Clock.currentTimeMillis) / 1000)
    const volid = allocateVolume(machine, guest.vmid, storage, bytesOf(size), now)
    return `${volid}${text.replace(/^[^,]*/, "")},size=${size}`
  })

const defaults = {
  lxc: (vmid: number, storage: string): { readonly [key: string]: string } => ({
    arch: "amd64",
    hostname: `CT${vmid}`,
    memory: "512",
    swap: "512",
    ostype: "unmanaged",
    unprivileged: "1",
    rootfs: `${storage}:4`
  }),
  qemu: (): { readonly [key: string]: string } => ({ boot: "", numa: "0", ostype: "other", sockets: "1" })
}

/** `pct create`: what every container has is filled in. */
const createGuest = (machine: Machine, change: Extract<ConsoleChange, { readonly _tag: "guest.create" }>) =>
  Effect.gen(function*() {
    const { type, vmid } = change
    if (machine.guests.has(vmid)) return yield* new ConsoleRefused({ reason: "exists-already", what: String(vmid) })
    const guest = makeGuest({ vmid, type, configFile: "", speed: machine.speed })
    const { storage = "local", ...config } = change.config
    for (const [key, text] of Object.entries({ ...defaults[type](vmid, storage), ...config })) {
      yield* setKey(machine, guest, key, text)
    }
    machine.guests.set(vmid, guest)
  })

const root = { id: "root@pam", user: "root@pam", tokenName: "" }

/** A worker that nobody waits for: what root's command did, it has done. */
const atOnce: Worker = {
  log: () => Effect.void,
  warn: () => Effect.void,
  take: () => Effect.void,
  sigterm: Effect.never,
  pid: 0
}

/** What the template is for, which pct sees by a program in it, and the simulator by the template's name. */
const architectureOf = (template: string): string =>
  /_(arm64|armhf|i386|riscv64)\.(?:tar|tgz)/.exec(template)?.[1] ?? "amd64"

const fromTemplate = (machine: Machine, change: Extract<ConsoleChange, { readonly _tag: "guest.fromTemplate" }>) =>
  Effect.gen(function*() {
    const { config, storage, template, vmid } = change
    if (machine.guests.has(vmid)) {
      return yield* new ConsoleRefused({ reason: "exists-already", what: String(vmid) })
    }
    const reserved = reserve(machine, vmid)
    const given = new Map<string, string>([["arch", architectureOf(template)]])
    for (const [key, text] of Object.entries(config)) {
      given.set(key, key === "rootfs" ? text : yield* asWritten(machine, reserved.guest, key, text))
    }
    given.delete("unprivileged")
    yield* provision(machine, atOnce, {
      vmid,
      identity: root,
      source: template,
      restore: false,
      unique: false,
      unprivileged: config["unprivileged"] !== "0",
      storage,
      given,
      description: undefined,
      start: false
    }, reserved).pipe(
      Effect.mapError(({ message }) => new ConsoleRefused({ reason: "create-failed", what: message }))
    )
    const volumes = machine.content.get(template.slice(0, template.indexOf(":"))) ?? []
    reserved.guest.firstBootSeconds = volumes.find(({ volid }) => volid === template)?.firstBootSeconds
  })

const restoreGuest = (machine: Machine, change: Extract<ConsoleChange, { readonly _tag: "guest.restore" }>) =>
  Effect.gen(function*() {
    const { archive, config, force, storage, unique, vmid } = change
    if (machine.guests.has(vmid) && !force) {
      return yield* new ConsoleRefused({ reason: "exists-already", what: String(vmid) })
    }
    const guest = makeGuest({ vmid, type: "lxc", configFile: "", speed: machine.speed })
    const given = new Map<string, string>()
    for (const [key, text] of Object.entries(config)) {
      if (key === "unprivileged" || key === "description") continue
      given.set(key, /^(?:rootfs|mp\d+)$/.test(key) ? text : yield* asWritten(machine, guest, key, text))
    }
    yield* provision(machine, atOnce, {
      vmid,
      identity: root,
      source: StorageConsole.volidOf(machine, archive),
      restore: true,
      unique,
      unprivileged: config["unprivileged"] === undefined ? undefined : config["unprivileged"] === "1",
      storage,
      given,
      description: config["description"],
      start: false
    }, reserve(machine, vmid)).pipe(
      Effect.mapError(({ message }) => new ConsoleRefused({ reason: "restore-failed", what: message }))
    )
  })

const writeFile = (machine: Machine, change: Extract<ConsoleChange, { readonly _tag: "guest.file" }>): void => {
  const { append, text, type, vmid } = change
  const old = machine.guests.get(vmid)
  const guest = old ?? makeGuest({ vmid, type, configFile: "", speed: machine.speed })
  const { current, pending, snapshots } = parseGuestFile(text)
  if (append) {
    for (const [key, value] of current.values) guest.file.current.values.set(key, value)
    guest.file.current.description ??= current.description
  } else {
    guest.file.current = current
    guest.file.pending = pending
    guest.file.snapshots.clear()
    for (const [name, section] of snapshots) guest.file.snapshots.set(name, section)
  }
  machine.guests.set(vmid, guest)
}

const reboot = (machine: Machine) =>
  Effect.gen(function*() {
    for (const task of machine.tasks.all) if (task.endTime === undefined) yield* machine.tasks.kill(task)
    const now = yield* Clock.currentTimeMillis
    for (const guest of machine.guests.values()) if (guest.running) setRunning(guest, false, now, 0)
    machine.bootTime = Math.floor(now / 1000)
    machine.down.clear()
  })

// What pct and qm do by a task of root's, which everybody sees in the lists.
const taskOf = (
  machine: Machine,
  change: ConsoleChange
): { readonly type: string; readonly vmid: number } | undefined => {
  const verbs: { readonly [tag: string]: string } = {
    "guest.snapshot": "snapshot",
    "guest.delsnapshot": "delsnapshot",
    "guest.create": "create",
    "guest.fromTemplate": "create",
    "guest.restore": "restore",
    "guest.destroy": "destroy"
  }
  if (!("vmid" in change)) return undefined
  const verb = change._tag === "guest.status"
    ? (change.status === "running" ? "start" : "stop")
    : verbs[change._tag]
  const type = machine.guests.get(change.vmid)?.type ?? "lxc"
  return verb === undefined ? undefined : { type: `${type === "lxc" ? "vz" : "qm"}${verb}`, vmid: change.vmid }
}

/** Carries out what root did on the console. */
export const apply = (machine: Machine, change: ConsoleChange): Effect.Effect<void, ConsoleRefused> =>
  Effect.suspend(() => {
    const task = taskOf(machine, change)
    const noted = task === undefined
      ? Effect.void
      : machine.tasks.record({ type: task.type, id: String(task.vmid), user: "root@pam" })
    return Effect.zipLeft(carryOut(machine, change), noted)
  })

const carryOut = (machine: Machine, change: ConsoleChange): Effect.Effect<void, ConsoleRefused> =>
  Effect.gen(function*() {
    switch (change._tag) {
      case "guest.status": {
        const guest = yield* guestOf(machine, change.vmid)
        const running = change.status === "running"
        const now = yield* Clock.currentTimeMillis
        if (guest.running !== running) setRunning(guest, running, now, 500 + guest.vmid)
        return
      }
      case "guest.poweroff": {
        const guest = yield* guestOf(machine, change.vmid)
        if (guest.running) setRunning(guest, false, yield* Clock.currentTimeMillis, 0)
        return
      }
      case "guest.set":
        return yield* setKey(machine, yield* guestOf(machine, change.vmid), change.key, change.value)
      case "guest.snapshot":
        return yield* takeSnapshot(machine, yield* guestOf(machine, change.vmid), change.name, change.description)
      case "guest.delsnapshot":
        return yield* dropSnapshot(yield* guestOf(machine, change.vmid), change.name)
      case "guests.stop": {
        const now = yield* Clock.currentTimeMillis
        for (const guest of machine.guests.values()) if (guest.running) setRunning(guest, false, now, 0)
        return
      }
      case "guest.create":
        return yield* createGuest(machine, change)
      case "guest.fromTemplate":
        return yield* fromTemplate(machine, change)
      case "guest.restore":
        return yield* restoreGuest(machine, change)
      case "guest.file":
        return writeFile(machine, change)
      case "guest.destroy":
        return removeGuest(machine, yield* guestOf(machine, change.vmid))
      case "guest.moved": {
        const guest = yield* guestOf(machine, change.vmid)
        const peer = machine.peers.find(({ name }) => name === change.node)
        if (peer === undefined) return yield* new ConsoleRefused({ reason: "no-such-node", what: change.node })
        machine.guests.delete(change.vmid)
        peer.machine.guests.set(change.vmid, guest)
        return
      }
      case "guest.data":
        ;(yield* guestOf(machine, change.vmid)).bytes = change.bytes
        return
      case "storage.set":
      case "storage.remove":
      case "storage.avail":
      case "storage.size":
      case "storage.metadata":
      case "storage.written":
      case "storage.filled":
      case "storage.mounted":
      case "file.remove":
      case "archive.damage":
      case "archive.copy":
        return yield* StorageConsole.apply(machine, change)
      case "disk.plugged":
        machine.plugged.set(change.devpath, {
          devpath: change.devpath,
          type: "usb",
          size: change.size,
          serial: change.serial,
          model: "felhom simulated disk",
          vendor: "unknown",
          gpt: 1,
          used: "ext4",
          health: change.health,
          wearout: "N/A",
          rpm: -1
        })
        return
      case "disk.unplugged":
        machine.plugged.delete(change.devpath)
        return
      case "server.answers":
        if (change.answers) machine.servers.add(change.server)
        else machine.servers.delete(change.server)
        return
      case "vzdump.lock":
        // Whoever has it already keeps it: root waits like everybody else, and here for nothing.
        yield* machine.vzdumpLock.hold((text) => text)(takeTime(machine, `${change.seconds} seconds`)).pipe(
          Effect.ignore,
          Effect.forkIn(machine.scope)
        )
        return
      case "task.expire":
        return machine.tasks.expire(change.before)
      case "node.reboot":
        return yield* reboot(machine)
      case "peer.set": {
        const peer = machine.peers.find(({ name }) => name === change.node)
        if (peer === undefined) return yield* new ConsoleRefused({ reason: "no-such-node", what: change.node })
        peer.online = change.online
        return
      }
      case "guest.ha":
        ;(yield* guestOf(machine, change.vmid)).haState = change.state ?? undefined
        return
      case "guest.stubborn":
        ;(yield* guestOf(machine, change.vmid)).stubborn = change.stubborn
        return
      case "role.append":
      case "role.set":
      case "role.remove":
      case "user.set":
      case "user.remove":
      case "group.add":
      case "group.remove":
      case "pool.change":
      case "pool.remove":
      case "acl.add":
      case "acl.remove":
      case "token.add":
      case "token.change":
      case "token.remove":
        return yield* AccessConsole.apply(machine, change)
      case "task.kill": {
        const task = machine.tasks.find(change.upid)
        return task === undefined
          ? yield* new ConsoleRefused({ reason: "no-such-task", what: change.upid })
          : yield* machine.tasks.kill(task)
      }
      case "service.set":
        if (change.running) machine.down.delete(change.name)
        else machine.down.add(change.name)
        return
      case "certificate.set":
        machine.certificates = [
          ...machine.certificates.filter(({ filename }) => filename !== change.certificate.filename),
          change.certificate
        ]
        return
    }
  })
