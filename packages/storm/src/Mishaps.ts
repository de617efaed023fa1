import { decodeDesired } from "@felhom/domain/DesiredDocument"
import * as Console from "@felhom/pve-sim/Console"
import { ConsoleChange } from "@felhom/pve-sim/ConsoleChange"
import { Effect, Either, Schema } from "effect"
import type { Act } from "./Actions.ts"
import type { Chance } from "./Chance.ts"
import { granted, peer, tokenId } from "./Home.ts"
import type { Stage } from "./Stage.ts"
import { shownGuests } from "./Submission.ts"

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour

const change = Schema.decodeUnknownSync(ConsoleChange)

/** What root does on the console; a change that makes no sense now is one that nobody makes. */
const byHand = (stage: Stage, made: object): void => {
  stage.ledger.note(`by hand: ${JSON.stringify(made)}`)
  stage.begin(Effect.ignore(Console.apply(stage.machine, change(made))))
}

/** Something that root does and takes back after a while. */
const forNow = (stage: Stage, millis: number, made: object, undone: object): void => {
  byHand(stage, made)
  stage.later(millis, () => byHand(stage, undone))
}

/** The books of the thin pool are nearly full, which stops every guest on it when they are. */
export const thinPool: Act = (stage, chance) => {
  const pool = stage.machine.thinPools.get("pve/data")
  if (pool === undefined) return
  stage.ledger.filledAt = stage.timeline.elapsed
  byHand(stage, {
    _tag: "storage.metadata",
    storage: "thin",
    used: Math.floor(pool.metadata_size * chance.pick([0.79, 0.85, 0.97]))
  })
}

/** The HA manager looks after a guest from now on, or does not any more. */
export const managed: Act = (stage, chance) =>
  byHand(stage, {
    _tag: "guest.ha",
    vmid: chance.pick([101, 102, 200]),
    state: chance.pick(["started", "stopped", "ignored", null])
  })

/** What happens in a cluster: a guest moves to the other host, or that one goes away, and nothing can be written. */
export const cluster: Act = (stage, chance) => {
  if (chance.is(0.5)) {
    return forNow(
      stage,
      chance.below(10 * minute),
      { _tag: "peer.set", node: peer, online: false },
      { _tag: "peer.set", node: peer, online: true }
    )
  }
  const vmid = chance.pick([101, 102, 200])
  if (stage.machine.peers.length > 0) stage.ledger.replacedAt.set(vmid, stage.timeline.elapsed)
  byHand(stage, { _tag: "guest.moved", vmid, node: peer })
}

/** The agent's token loses its rights: on one guest, or on all there is. */
export const rights: Act = (stage, chance) => {
  const lasts = chance.below(10 * minute)
  const token = { ...granted, type: "token", ugid: tokenId }
  if (chance.is(0.5)) {
    return forNow(stage, lasts, { _tag: "acl.remove", path: "/", ugid: tokenId }, { _tag: "acl.add", entry: token })
  }
  const path = `/vms/${chance.pick([101, 102, 200])}`
  forNow(
    stage,
    lasts,
    { _tag: "acl.add", entry: { ...token, path, roleid: "NoAccess" } },
    { _tag: "acl.remove", path, ugid: tokenId }
  )
}

/** The hub is away for hours or days, and the host goes through all of them. */
export const longSilence: Act = (stage, chance) => {
  const { hub, ledger, timeline } = stage
  // What a host asks for so long is the same each time.
  hub.interval = 3600
  const answers = hub.answers
  stage.until(timeline.elapsed + 3 * minute, () => hub.answers > answers)
  if (hub.answers === answers) return
  const lasts = chance.is(0.03) ? chance.between(1, 14) * day : chance.between(1, 8) * hour
  stage.hubBackAt = timeline.elapsed + lasts
  ledger.note(`the hub is away for ${Math.round(lasts / hour)} h`)
  stage.until(stage.hubBackAt)
}

/** What root puts right in the end. */
export const mended = (stage: Stage): ReadonlyArray<ConsoleChange> => {
  const metadata = stage.machine.thinPools.get("pve/data")?.metadata_size ?? 0
  return [
    { _tag: "storage.metadata", storage: "thin", used: Math.floor(metadata / 50) },
    ...[101, 102, 200].map((vmid) => ({ _tag: "acl.remove", path: `/vms/${vmid}`, ugid: tokenId })),
    { _tag: "acl.remove", path: "/", ugid: tokenId },
    { _tag: "acl.add", entry: { ...granted, type: "token", ugid: tokenId } },
    // What a guest would not do before it does now, and nobody but the agent sees to it.
    ...[...stage.machine.guests.values()].flatMap(({ haState, stubborn, vmid }) => [
      ...(haState === undefined ? [] : [{ _tag: "guest.ha", vmid, state: null }]),
      ...(stubborn ? [{ _tag: "guest.stubborn", vmid, stubborn: false }] : [])
    ]),
    ...stage.machine.peers.map(({ name }) => ({ _tag: "peer.set", node: name, online: true }))
  ].map((one) => change(one))
}

const other = (key: string, chance: Chance): { readonly key: string; readonly value: string } => {
  switch (key) {
    case "memory":
      return { key, value: String(chance.between(400, 1300)) }
    case "cores":
      return { key, value: String(chance.between(1, 8)) }
    case "onboot":
      return { key, value: chance.pick(["0", "1"]) }
    default:
      return { key, value: `hand${chance.below(100)}` }
  }
}

/** Somebody sets by hand what operators have wished for otherwise. */
export const undo: Act = (stage, chance) => {
  const { hub, machine } = stage
  const last = hub.wished.at(-1)
  if (last === undefined) return
  const document = Either.getOrUndefined(decodeDesired(Buffer.from(last, "base64")))
  const wish = chance.any(document?.state.guests ?? [])
  const volumes = wish?.guest.identity.volumes ?? []
  const shown = shownGuests(hub).find(({ expect }) => expect.identity.volumes.join() === volumes.join())
  const guest = machine.guests.get(shown?.ref.vmid ?? 0)
  if (wish === undefined || guest === undefined) return
  const { power } = wish
  if (power !== undefined && chance.is(0.4)) {
    return byHand(stage, {
      _tag: "guest.status",
      vmid: guest.vmid,
      status: power === "running" ? "stopped" : "running"
    })
  }
  const key = chance.any(["memory", "cores", "onboot", "description", "tags"].filter((one) => one in wish))
  if (key !== undefined) byHand(stage, { _tag: "guest.set", vmid: guest.vmid, ...other(key, chance) })
}

/** A guest ends from within as soon as it runs, again and again, and writes until its storage is full: the host goes through all of it. */
export const spam: Act = (stage, chance) => {
  const { ledger, machine, timeline } = stage
  const guest = chance.any([...machine.guests.values()].filter(({ running }) => running))
  if (guest === undefined) return
  const { vmid } = guest
  const lasts = chance.between(3, 6) * minute
  const every = chance.between(1000, 10_000)
  ledger.note(`guest ${vmid} ends whenever it runs, for ${lasts / minute} min`)
  if (chance.is(0.3)) {
    ledger.filledAt = timeline.elapsed
    byHand(stage, { _tag: "storage.avail", storage: chance.pick(["local", "ctstore"]), bytes: chance.below(1_000_000) })
  }
  for (let at = 0; at < lasts; at += every) {
    stage.later(at, () => {
      if (machine.guests.get(vmid)?.running === true) byHand(stage, { _tag: "guest.poweroff", vmid })
    })
  }
  stage.until(timeline.elapsed + lasts)
}

/** systemd stops the agent as it is meant to be stopped, and starts it again. */
export const stopped: Act = (stage, chance) => {
  const restartAfter = chance.is(0.8) ? chance.below(5000) : chance.below(30 * minute)
  stage.ledger.note("the agent is told to end")
  stage.terminate(restartAfter)
}

/** Somebody else answers in the place of Proxmox, or of the hub. */
export const foreign: Act = (stage, chance) => {
  const times = chance.between(1, 20)
  if (chance.is(0.7)) stage.way.foreign += times
  else stage.hubForeign += times
  stage.ledger.note(`another certificate is shown ${times} times`)
}
