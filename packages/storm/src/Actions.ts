import * as Console from "@felhom/pve-sim/Console"
import { ConsoleChange } from "@felhom/pve-sim/ConsoleChange"
import { Effect, Either, Schema } from "effect"
import { places } from "./Agent.ts"
import type { Chance } from "./Chance.ts"
import { honest } from "./Hub.ts"
import { cluster, foreign, longSilence, managed, rights, spam, stopped, thinPool, undo } from "./Mishaps.ts"
import type { Name } from "./Operators.ts"
import { ruled } from "./RootFiles.ts"
import type { Armed, Stage } from "./Stage.ts"
import { submit } from "./Submission.ts"
import { trust } from "./Trusting.ts"
import { restored, wish } from "./Wishing.ts"

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour

/** Something that somebody or something does to the host. All that it leaves to chance, its own chance decides. */
export type Act = (stage: Stage, chance: Chance) => void

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const change = Schema.decodeUnknownSync(ConsoleChange)

const crash: Act = (stage, chance) => {
  const on = chance.pick<Armed["on"]>(["turn", "disk", "disk", "request", "answer", "envelope"])
  const armed: Armed = {
    on,
    left: chance.below(on === "turn" ? 120 : on === "disk" ? 40 : on === "envelope" ? 3 : 14),
    power: chance.is(0.5),
    restartAfter: chance.is(0.8) ? chance.below(5000) : chance.below(30 * minute)
  }
  stage.armed = armed
  stage.ledger.note(`a ${armed.power ? "power cut" : "kill"} waits for ${armed.left} more of: ${on}`)
}

const disk: Act = (stage, chance) => {
  const kind = chance.below(3)
  if (kind === 0) {
    stage.disk.failsAfter = chance.below(30)
    return stage.ledger.note(`one write fails, after ${stage.disk.failsAfter} others`)
  }
  const condition = kind === 1 ? "full" : "broken"
  const lasts = chance.between(1, 10 * minute)
  stage.disk.condition = condition
  stage.ledger.note(`the disk is ${condition} for ${lasts} ms`)
  stage.later(lasts, () => {
    stage.disk.condition = "sound"
    stage.ledger.note("the disk is sound again")
  })
}

const silence: Act = (stage, chance) => {
  const lasts = chance.is(0.02) ? chance.between(1, 14) * day : chance.below(20 * minute)
  // What a host asks for so long is the same each time.
  if (lasts > hour) stage.hub.interval = 3600
  stage.hubBackAt = stage.timeline.elapsed + lasts
  stage.ledger.note(`the hub is away for ${Math.round(lasts / 1000)} s`)
}

const takenOver: Act = (stage, chance) => {
  stage.hub.lies = {
    ops: chance.is(0.7),
    desired: chance.is(0.7),
    ahead: chance.is(0.2) ? chance.below(50) : 0,
    skew: chance.is(0.2) ? chance.between(-30, 30) * minute : 0,
    hurry: chance.is(0.2) ? chance.pick([0, 1, 1e9, -0]) : undefined,
    forgets: chance.is(0.3)
  }
  stage.ledger.note(`the hub is taken over: ${JSON.stringify(stage.hub.lies)}`)
  stage.later(chance.below(10 * minute), () => {
    stage.hub.lies = honest
    stage.ledger.note("the hub is honest again")
  })
}

const clock: Act = (stage, chance) => {
  const by = Math.round(
    (chance.is(0.5) ? 1 : -1) * chance.pick([2 * minute, 10 * minute, hour, day, 30 * day, 365 * day]) * chance.next()
  )
  const before = stage.timeline.offset
  stage.timeline.offset += by
  stage.ledger.note(`the host's clock is set by ${Math.round(by / 1000)} s`)
  if (chance.is(0.5)) {
    stage.later(chance.below(10 * minute), () => {
      stage.timeline.offset = before
      stage.ledger.note("the host's clock is set back to what it was")
    })
  }
}

/** What a person does on the console, or somebody inside of a guest to what others see of it. */
const person: Act = (stage, chance) => {
  const vmid = chance.pick([101, 102, 102, 200])
  const spam = "\u001b[2J\u202e../../../etc\nfelhom-agent: op.finished %00 ${jndi}"
  const made = chance.pick<object>([
    { _tag: "guest.status", vmid, status: "stopped" },
    { _tag: "guest.status", vmid, status: "running" },
    { _tag: "guest.set", vmid, key: "memory", value: String(chance.between(128, 2048)) },
    { _tag: "guest.set", vmid, key: "description", value: spam },
    { _tag: "guest.set", vmid, key: "tags", value: "prod;felhom" },
    { _tag: "guest.set", vmid, key: vmid === 200 ? "name" : "hostname", value: `renamed${chance.below(9)}` },
    { _tag: "guest.set", vmid, key: vmid === 200 ? "name" : "hostname", value: "\u001b[2J\u202eroot" },
    { _tag: "guest.snapshot", vmid: 102, name: `by-hand${chance.below(3)}` },
    { _tag: "guest.delsnapshot", vmid: 102, name: "before" },
    { _tag: "guest.destroy", vmid },
    { _tag: "guest.create", vmid: 103, config: { hostname: "new", rootfs: "local:1" } },
    { _tag: "guest.set", vmid, key: "lock", value: "backup" },
    { _tag: "guest.set", vmid, key: "lock", value: null },
    { _tag: "guest.stubborn", vmid, stubborn: true },
    { _tag: "guest.set", vmid, key: "protection", value: "1" },
    { _tag: "node.reboot" },
    { _tag: "storage.avail", storage: "local", bytes: chance.below(1_000_000) },
    { _tag: "vzdump.lock", seconds: chance.between(1, 600) }
  ])
  const done = change(made)
  if (done._tag === "storage.avail") stage.ledger.filledAt = stage.timeline.elapsed
  stage.ledger.note(`by hand: ${JSON.stringify(made)}`)
  if (done._tag === "guest.destroy" || done._tag === "guest.create") return anotherGuest(stage, done.vmid, [done])
  // A change that makes no sense now is one that nobody makes.
  stage.begin(Effect.ignore(Console.apply(stage.machine, done)))
}

/** What is under the number afterwards is nothing of the agent's; nothing changes where somebody who tries it is refused. */
const anotherGuest = (stage: Stage, vmid: number, changes: ReadonlyArray<ConsoleChange>): void => {
  const { ledger, machine, timeline } = stage
  const done = stage.inWorld(Effect.either(Effect.forEach(changes, (one) => Console.apply(machine, one))))
  if (Either.isLeft(done)) return
  ledger.replacedAt.set(vmid, timeline.elapsed)
  ledger.made.delete(vmid)
}

/** A guest that is destroyed, and another one made under its number. */
const replaced: Act = (stage, chance) => {
  const vmid = chance.pick([101, 102])
  stage.ledger.note(`by hand: lxc/${vmid} is replaced by another one`)
  anotherGuest(stage, vmid, [
    change({ _tag: "guest.destroy", vmid }),
    change({
      _tag: "guest.create",
      vmid,
      config: { hostname: vmid === 101 ? "photos" : "files", rootfs: "local:1", net0: "name=eth0,bridge=vmbr0" }
    })
  ])
}

/** Root strikes somebody who signs off the list, or revokes the key. */
const strike: Act = (stage, chance) => {
  const { allowed, revoked } = stage.ledger.root
  const name = chance.any([...allowed].filter((one) => !revoked.has(one)))
  if (name === undefined) return
  if (chance.is(0.5)) ruled(stage, { revoked: new Set([...revoked, name]) })
  else ruled(stage, { allowed: new Set([...allowed].filter((one) => one !== name)) })
  stage.ledger.note(`root takes ${name} out`)
}

const root: Act = (stage, chance) => {
  const { allowed, revoked } = stage.ledger.root
  const name = chance.pick<Name>(["anna", "ben", "cora"])
  switch (chance.below(5)) {
    case 0:
      ruled(stage, { revoked: new Set([...revoked, name]) })
      return stage.ledger.note(`root revokes ${name}`)
    case 1:
      ruled(stage, { allowed: new Set([...allowed].filter((one) => one !== name)) })
      return stage.ledger.note(`root takes ${name} off the list`)
    case 2:
      ruled(stage, { threshold: chance.between(1, 3) })
      return stage.ledger.note(`root wants ${stage.ledger.root.threshold} signers`)
    case 3:
      ruled(stage, { allowed: new Set([...allowed, name]) })
      return stage.ledger.note(`root lets ${name} sign`)
    default:
      return hold(stage, chance)
  }
}

const hold: Act = (stage, chance) => {
  if (stage.ledger.heldSince === undefined) {
    stage.ledger.heldSince = stage.timeline.elapsed
    stage.disk.put(
      `${places.stateDirectory}/hold`,
      bytes(JSON.stringify({
        typ: "felhom/hold/v1",
        since: stage.timeline.hostTime,
        by: "root on the host",
        reason: "the storm wants it"
      }))
    )
    return stage.ledger.note("root holds the host")
  }
  if (chance.is(0.5)) return
  stage.released()
  stage.ledger.note("root releases the host")
}

const way: Act = (stage, chance) => {
  switch (chance.below(4)) {
    case 0:
      stage.way.deaf += chance.between(1, 2)
      return stage.ledger.note("an answer to a write gets lost")
    case 1:
      stage.way.closed += chance.between(1, 20)
      return stage.ledger.note(`Proxmox refuses ${stage.way.closed} connections`)
    case 2:
      stage.way.slow = chance.between(10, 20_000)
      stage.later(chance.below(5 * minute), () => {
        stage.way.slow = 0
      })
      return stage.ledger.note(`Proxmox takes up to ${stage.way.slow} ms`)
    default: {
      const name = chance.pick(["pvedaemon", "pmxcfs"])
      stage.begin(Effect.ignore(Console.apply(stage.machine, change({ _tag: "service.set", name, running: false }))))
      stage.later(
        chance.below(10 * minute),
        () =>
          stage.begin(Effect.ignore(Console.apply(stage.machine, change({ _tag: "service.set", name, running: true }))))
      )
      return stage.ledger.note(`${name} stops`)
    }
  }
}

/** All that may happen, and how often each does. */
export const acts: { readonly [name: string]: { readonly weight: number; readonly act: Act } } = {
  submit: { weight: 30, act: submit },
  wish: { weight: 16, act: wish },
  crash: { weight: 14, act: crash },
  disk: { weight: 6, act: disk },
  silence: { weight: 4, act: silence },
  takenOver: { weight: 9, act: takenOver },
  clock: { weight: 5, act: clock },
  person: { weight: 12, act: person },
  replaced: { weight: 3, act: replaced },
  root: { weight: 8, act: root },
  strike: { weight: 3, act: strike },
  hold: { weight: 3, act: hold },
  thinPool: { weight: 2, act: thinPool },
  managed: { weight: 2, act: managed },
  cluster: { weight: 2, act: cluster },
  restored: { weight: 1, act: restored },
  trust: { weight: 5, act: trust },
  undo: { weight: 5, act: undo },
  stopped: { weight: 5, act: stopped },
  foreign: { weight: 4, act: foreign },
  rights: { weight: 2, act: rights },
  spam: { weight: 0.2, act: spam },
  longSilence: { weight: 0.2, act: longSilence },
  way: { weight: 9, act: way }
}
