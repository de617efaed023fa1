import { Clock, Effect } from "effect"
import { type ConsoleChange, ConsoleRefused } from "./ConsoleChange.ts"
import { copyConfig, type Guest, setRunning } from "./Guest.ts"
import type { Machine } from "./Machine.ts"
import { canSnapshot } from "./SnapshotFeature.ts"

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

/** Carries out what root did on the console. */
export const apply = (machine: Machine, change: ConsoleChange): Effect.Effect<void, ConsoleRefused> =>
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
      case "guest.stubborn":
        ;(yield* guestOf(machine, change.vmid)).stubborn = change.stubborn
        return
      case "role.set":
        machine.access.roles.set(change.roleid, change.privs)
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
        machine.sslFingerprint = change.fingerprint
        return
    }
  })
