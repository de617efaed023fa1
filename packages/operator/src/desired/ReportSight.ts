import type { DesiredGuest } from "@felhom/domain/DesiredGuest"
import { type DesiredPolicy, usualDesiredPolicy } from "@felhom/domain/DesiredPolicy"
import type { Guest } from "@felhom/domain/Guest"
import type { GuestConfig } from "@felhom/domain/GuestConfig"
import { formatGuestRef, type GuestType, Volid } from "@felhom/domain/ProxmoxId"
import type { ObservedGuest, ObservedHost } from "@felhom/reconciler/plan/ObservedHost"
import { plan } from "@felhom/reconciler/plan/Planner"
import type { Plan } from "@felhom/reconciler/plan/PlanStep"
import type { Witnessed } from "../SignedHost.ts"
import type { ResolvedGuest } from "./WishGuests.ts"

const mib = 1024 ** 2

/** What a report says of a guest's configuration, as Proxmox VE would. Cores of a virtual machine are counted with its sockets. */
const configOf = (guest: Guest): GuestConfig => {
  const { config, cpus, memory, name, tags, type } = guest
  if (config.state === "unavailable") return {}
  const { description, onboot, protection } = config.value
  return {
    ...(name === null ? {} : { [type === "lxc" ? "hostname" : "name"]: name }),
    ...(cpus === null || type === "qemu" ? {} : { cores: cpus }),
    ...(memory === null ? {} : { memory: Math.round(memory / mib) }),
    ...(description === null ? {} : { description }),
    tags: tags.join(";"),
    onboot: onboot ? "1" : "0",
    protection: protection ? "1" : "0"
  }
}

const observed = (guest: Guest, memoryUsed: number | null, key: string | null): ReadonlyArray<ObservedGuest> => {
  const { config, lock, name, status, template, type, vmid } = guest
  if (config.state === "unavailable") return []
  const text = configOf(guest)
  return [{
    ref: { type, vmid },
    name,
    status,
    template,
    lock,
    ha: null,
    identity: key === null ? config.value.identity : { ...config.value.identity, key },
    merged: text,
    current: text,
    memoryUsed
  }]
}

/** The parts of a wish that a report has something to say of. */
const visible = ({ cores, description, guest, make, memory, name, onboot, power, protection, tags }: DesiredGuest) => {
  return {
    power,
    name,
    description,
    tags,
    protection,
    onboot,
    memory,
    make,
    cores: guest.type === "lxc" ? cores : undefined
  }
}

const withoutUndefined = <A extends object>(parts: A): { [K in keyof A]?: Exclude<A[K], undefined> } => {
  const kept: { [K in keyof A]?: Exclude<A[K], undefined> } = {}
  for (const key in parts) {
    const value = parts[key]
    if (isDefined(value)) kept[key] = value
  }
  return kept
}

const isDefined = <A>(value: A): value is Exclude<A, undefined> => value !== undefined

const seen = (desired: DesiredGuest): DesiredGuest => ({ guest: desired.guest, ...withoutUndefined(visible(desired)) })

/** What is wished for a guest and no report says, by the wish's names. */
const hidden = (desired: DesiredGuest, isThere: boolean): ReadonlyArray<string> => {
  const { guest: _, make, ...wished } = desired
  const known: { readonly [name: string]: unknown } = visible(desired)
  // Whatever is made is made as wished.
  if (make !== undefined && !isThere) return []
  const names = Object.keys(wished).filter((name) => known[name] === undefined)
  return make === undefined ? names : [...names, "whether it was made by this key"]
}

/**
 * The guests that were made by a key, by their numbers: a report does not tell keys, so it is taken to be the one guest of
 * its type that is called as the wish says.
 */
const madeGuests = (
  wishes: ReadonlyArray<ResolvedGuest>,
  guests: ReadonlyArray<Guest>
): ReadonlyMap<string, string> => {
  const meant = new Set(wishes.flatMap(({ guest }) => guest === null ? [] : [formatGuestRef(guest)]))
  return new Map(wishes.flatMap(({ desired: { guest: { identity: { key }, type }, name }, guest }) => {
    if (key === null || guest !== null) return []
    const [only, ...others] = guests.filter((one) => one.type === type && one.name === name)
    return only === undefined || others.length > 0 || meant.has(formatGuestRef(only))
      ? []
      : [[formatGuestRef(only), key] as const]
  }))
}

/** What would differ on a host by its own report, as far as that tells, and what it does not tell. */
export interface Preview {
  readonly plan: Plan
  readonly untold: ReadonlyArray<{ readonly called: string; readonly settings: ReadonlyArray<string> }>
}

const types: ReadonlyArray<GuestType> = ["lxc", "qemu"]

/**
 * The planner that the host itself plans with, over what its report says. What the report does not say is left out, not guessed;
 * the host's policy, which no report says, is taken to allow all of it, and to know each image.
 */
export const previewOf = (wishes: ReadonlyArray<ResolvedGuest>, { inventory, report }: Witnessed): Preview => {
  const section = inventory?.guests
  const guests = section?.state === "ok" ? section.value : []
  const { guests: samples } = report.samples
  const used = new Map(
    (samples.state === "ok" ? samples.value : []).map((sample) => [formatGuestRef(sample), sample.memoryUsed])
  )
  const made = madeGuests(wishes, guests)
  const images = wishes.flatMap(({ desired: { make } }) => make === undefined ? [] : [make.image])
  const archives = Object.fromEntries(images.map((image) => [image, Volid.make(`image:${image}`)]))
  const policy: DesiredPolicy = { ...usualDesiredPolicy, images: archives }
  const host: ObservedHost = {
    node: report.host.node,
    guests: types.flatMap((type) =>
      guests.filter((guest) => guest.type === type).flatMap((guest) =>
        observed(
          guest,
          guest.status === "running" ? used.get(formatGuestRef(guest)) ?? null : null,
          made.get(formatGuestRef(guest)) ?? null
        )
      )
    ),
    // A guest that nobody could read is told of where the wishes are resolved.
    unread: [],
    elsewhere: [],
    storages: [],
    images: Object.values(archives).map((volid) => ({ volid, size: null })),
    made: Array.from(made.values())
  }
  return {
    plan: plan({ guests: wishes.map(({ desired }) => seen(desired)) }, host, policy),
    untold: wishes.flatMap(({ called, desired, guest }) => {
      const key = desired.guest.identity.key
      const isThere = guest !== null || (key !== null && Array.from(made.values()).includes(key))
      const settings = hidden(desired, isThere)
      return settings.length === 0 ? [] : [{ called, settings }]
    })
  }
}
