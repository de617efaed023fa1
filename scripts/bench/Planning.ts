import type { DesiredState } from "@felhom/domain/DesiredDocument"
import { DesiredGuest } from "@felhom/domain/DesiredGuest"
import { usualDesiredPolicy } from "@felhom/domain/DesiredPolicy"
import { type GuestConfig, guestIdentity } from "@felhom/domain/GuestConfig"
import { NodeName, Vmid } from "@felhom/domain/ProxmoxId"
import type { ObservedGuest, ObservedHost } from "@felhom/reconciler/plan/ObservedHost"
import { plan } from "@felhom/reconciler/plan/Planner"
import { Schema } from "effect"
import { isDeepStrictEqual } from "node:util"
import type { Figure } from "./Figure.ts"
import { median } from "./Statistics.ts"

const few = 1_000
const many = 10_000
const rounds = 15

const hex = (value: number): string => value.toString(16).toUpperCase().padStart(2, "0")

const configOf = (vmid: number): GuestConfig => ({
  arch: "amd64",
  hostname: `ct-${vmid}`,
  cores: 2,
  memory: 512,
  swap: 512,
  tags: "family;prod",
  net0: `name=eth0,bridge=vmbr0,hwaddr=BC:24:11:${hex(vmid >> 16)}:${hex((vmid >> 8) & 255)}:${
    hex(vmid & 255)
  },type=veth`,
  rootfs: `local-zfs:subvol-${vmid}-disk-0,size=8G`,
  digest: "d0"
})

const guestOf = (vmid: number): ObservedGuest => {
  const config = configOf(vmid)
  return {
    ref: { type: "lxc", vmid: Vmid.make(vmid) },
    name: `ct-${vmid}`,
    status: "running",
    template: false,
    lock: null,
    ha: null,
    identity: { ...guestIdentity("lxc", config), key: null },
    merged: config,
    current: config,
    memoryUsed: 100 * 1024 ** 2
  }
}

const wishOf = Schema.decodeUnknownSync(DesiredGuest, { onExcessProperty: "error" })

/** Every tenth guest has another memory than is wished for it. */
const worldOf = (count: number): { readonly host: ObservedHost; readonly state: DesiredState } => {
  const guests = Array.from({ length: count }, (_, index) => guestOf(1_000 + index))
  return {
    host: {
      node: NodeName.make("attic"),
      guests,
      unread: [],
      elsewhere: [],
      storages: [],
      images: [],
      made: []
    },
    state: {
      guests: guests.map(({ identity, name, ref }, index) =>
        wishOf({
          guest: { type: ref.type, identity },
          power: "running",
          name,
          cores: 2,
          memory: index % 10 === 0 ? 1_024 : 512,
          tags: ["prod", "family"]
        })
      )
    }
  }
}

/** The same question in the fewest words: a map by who a guest is, and Node's own comparison of what is wished with what is. */
const plainly = ({ host, state }: ReturnType<typeof worldOf>): ReadonlyArray<string> => {
  const who = ({ hwaddrs, volumes }: ObservedGuest["identity"]): string => `${hwaddrs.join()} ${volumes.join()}`
  const guests = new Map(host.guests.map((guest) => [who(guest.identity), guest]))
  const different: Array<string> = []
  for (const { cores, guest: { identity }, memory, name, power, tags = [] } of state.guests) {
    const found = guests.get(who(identity))
    if (found === undefined) continue
    const { merged, status } = found
    const is = {
      power: status,
      name: merged["hostname"],
      cores: merged["cores"],
      memory: merged["memory"],
      tags: new Set(String(merged["tags"] ?? "").split(";"))
    }
    if (!isDeepStrictEqual(is, { power, name, cores, memory, tags: new Set(tags) })) different.push(who(identity))
  }
  return different
}

/** Milliseconds, and how much was found to differ. */
const timed = (work: () => number): { readonly millis: number; readonly found: number } => {
  const began = performance.now()
  const found = work()
  return { millis: performance.now() - began, found }
}

/** What a plan costs as hosts grow, and beside the plainest comparison there is. */
export const measure = async (): Promise<ReadonlyArray<Figure>> => {
  const small = worldOf(few)
  const large = worldOf(many)
  const ours = ({ host, state }: typeof small) => timed(() => plan(state, host, usualDesiredPolicy).steps.length)
  const theirs = (world: typeof small) => timed(() => plainly(world).length)
  const samples = Array.from({ length: rounds + 3 }, () => {
    const one = { few: ours(small), many: ours(large), plain: theirs(large) }
    if (one.few.found !== few / 10 || one.many.found !== many / 10 || one.plain.found !== many / 10) {
      throw new Error(`one in ten guests differs, and it was not found so: ${JSON.stringify(one)}`)
    }
    return one
  }).slice(3)
  const medianOf = (name: "few" | "many" | "plain"): number => median(samples.map((sample) => sample[name].millis))
  const about = `medians of ${rounds} rounds; one guest in ten differs`
  return [
    {
      id: "E1a",
      name: `planning for ${many} guests / for ${few}`,
      value: medianOf("many") / medianOf("few"),
      unit: "x",
      gate: 15,
      goal: 11,
      detail: `${medianOf("many").toFixed(1)} ms / ${medianOf("few").toFixed(2)} ms, ${about}`
    },
    {
      id: "E1b",
      name: `planning for ${many} guests / a Map and Node's deep comparison`,
      value: medianOf("many") / medianOf("plain"),
      unit: "x",
      gate: 3,
      goal: 1.3,
      detail: `${medianOf("many").toFixed(1)} ms / ${medianOf("plain").toFixed(1)} ms, ${about}`
    }
  ]
}
