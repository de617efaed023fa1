import { Clock, Effect } from "effect"
import { removeGuest } from "./api/Lifecycle.ts"
import { type ConsoleChange, ConsoleRefused } from "./ConsoleChange.ts"
import { bytesOf, copyConfig, type Guest, makeGuest, setRunning } from "./Guest.ts"
import { allocateVolume, normaliseNet, normaliseTags } from "./LxcValues.ts"
import { type Machine, takeTime } from "./Machine.ts"
import { canSnapshot } from "./SnapshotFeature.ts"
import * as StorageConsole from "./StorageConsole.ts"

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

const setKey = (guest: Guest, key: string, value: string | null): void => {
  if (key === "description") guest.file.current.description = value ?? undefined
  else if (value === null) guest.file.current.values.delete(key)
  else guest.file.current.values.set(key, value)
}

/** `pct create`: a rootfs given as `STORAGE:GiB` is made, cards get addresses, and what every container has is filled in. */
const createGuest = (machine: Machine, vmid: number, config: { readonly [key: string]: string }) =>
  Effect.gen(function*() {
    if (machine.guests.has(vmid)) return yield* new ConsoleRefused({ reason: "exists-already", what: String(vmid) })
    const guest = makeGuest({ vmid, type: "lxc", configFile: "", speed: machine.speed })
    const { current } = guest.file
    const defaults = { arch: "amd64", memory: "512", swap: "512", ostype: "unmanaged", unprivileged: "1" }
    for (const [key, text] of Object.entries({ ...defaults, ...config })) {
      const [, storage, gibibytes] = /^([^:/,]+):(\d+(?:\.\d+)?)(?=,|$)/.exec(text) ?? []
      if (key === "description") current.description = text
      else if (key === "storage") continue
      else if (key === "tags") current.values.set(key, normaliseTags(text))
      else if (/^net\d+$/.test(key)) current.values.set(key, yield* normaliseNet(machine, text))
      else if (/^(?:rootfs|mp\d+)$/.test(key) && storage !== undefined && gibibytes !== undefined) {
        const mebibytes = Math.round(Number(gibibytes) * 1024)
        const size = mebibytes % 1024 === 0 ? `${mebibytes / 1024}G` : `${mebibytes}M`
        const now = Math.floor((yield* Clock.currentTimeMillis) / 1000)
        const volid = allocateVolume(machine, vmid, storage, bytesOf(size), now)
        current.values.set(key, `${volid}${text.replace(/^[^,]*/, "")},size=${size}`)
      } else current.values.set(key, text)
    }
    machine.guests.set(vmid, guest)
  })

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
      case "guest.set":
        return setKey(yield* guestOf(machine, change.vmid), change.key, change.value)
      case "guest.snapshot":
        return yield* takeSnapshot(machine, yield* guestOf(machine, change.vmid), change.name, change.description)
      case "guest.delsnapshot":
        return yield* dropSnapshot(yield* guestOf(machine, change.vmid), change.name)
      case "guest.create":
        return yield* createGuest(machine, change.vmid, change.config)
      case "guest.destroy":
        return removeGuest(machine, yield* guestOf(machine, change.vmid))
      case "guest.data":
        ;(yield* guestOf(machine, change.vmid)).bytes = change.bytes
        return
      case "storage.set":
      case "storage.remove":
      case "storage.avail":
      case "storage.size":
      case "storage.filled":
      case "storage.mounted":
      case "file.remove":
      case "archive.damage":
      case "archive.copy":
        return yield* StorageConsole.apply(machine, change)
      case "vzdump.lock":
        // Whoever has it already keeps it: root waits like everybody else, and here for nothing.
        yield* machine.vzdumpLock.hold((text) => text)(takeTime(machine, `${change.seconds} seconds`)).pipe(
          Effect.ignore,
          Effect.forkIn(machine.scope)
        )
        return
      case "role.append":
        machine.access.setRole(
          change.roleid,
          Array.from(new Set([...machine.access.roles.get(change.roleid) ?? [], ...change.privs]))
        )
        return
      case "user.set":
        return machine.access.setUser({
          userid: change.userid,
          expire: 0,
          ...machine.access.users.get(change.userid),
          enable: change.enable
        })
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
      case "role.set":
        machine.access.setRole(change.roleid, change.privs)
        return
      case "acl.add":
        return machine.access.addAcl(change.entry)
      case "acl.remove":
        return machine.access.removeAcl(change.path, change.ugid)
      case "token.add": {
        const userid = change.tokenid.split("!")[0] ?? ""
        if (!machine.access.users.has(userid)) {
          return yield* new ConsoleRefused({ reason: "no-such-user", what: userid })
        }
        return machine.access.addToken(change.tokenid, change)
      }
      case "token.remove":
        return machine.access.removeToken(change.tokenid)
          ? undefined
          : yield* new ConsoleRefused({ reason: "no-such-token", what: change.tokenid })
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
