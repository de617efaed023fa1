import { displayText } from "@felhom/domain/DisplayText"
import type { Guest } from "@felhom/domain/Guest"
import { formatGuestRef } from "@felhom/domain/ProxmoxId"
import type { Section } from "@felhom/domain/Section"
import type { Storage } from "@felhom/domain/Storage"
import type { NewEvent } from "@felhom/durable/StateFile"
import type { Observation, ProxmoxCondition } from "./Observation.ts"

/** What was last known for certain: a section that can't be read leaves what was known of it as it is. */
export interface Known {
  readonly proxmox: ProxmoxCondition["state"] | "unseen"
  /** By `type/vmid`; null until guests were read for the first time. */
  readonly guests: ReadonlyMap<string, Guest> | null
  readonly storages: ReadonlyMap<string, Storage> | null
}

export const nothingKnown: Known = { proxmox: "unseen", guests: null, storages: null }

/** Compares what is with what was known, and tells what happened in between. The first look at something tells nothing. */
export const advance = (
  known: Known,
  observation: Observation
): { readonly known: Known; readonly events: ReadonlyArray<NewEvent> } => {
  const guests = indexed(observation.inventory.guests, formatGuestRef)
  const storages = indexed(observation.inventory.storages, (storage) => storage.storage)
  return {
    known: {
      proxmox: observation.proxmox.state,
      guests: guests ?? known.guests,
      storages: storages ?? known.storages
    },
    events: [
      ...conditionEvents(known.proxmox, observation.proxmox),
      ...(known.guests === null || guests === null ? [] : guestEvents(known.guests, guests)),
      ...(known.storages === null || storages === null ? [] : storageEvents(known.storages, storages))
    ]
  }
}

const indexed = <A>(section: Section<ReadonlyArray<A>>, key: (item: A) => string): ReadonlyMap<string, A> | null =>
  section.state === "ok" ? new Map(section.value.map((item) => [key(item), item])) : null

const conditionEvents = (before: Known["proxmox"], now: ProxmoxCondition): ReadonlyArray<NewEvent> => {
  if (before === now.state || (before === "unseen" && now.state === "ok")) return []
  return now.state === "ok"
    ? [{ kind: "proxmox.recovered", severity: "info", subject: null, message: "Proxmox VE answers again" }]
    : [{
      kind: now.state === "refused" ? "proxmox.refused" : "proxmox.unreachable",
      severity: "critical",
      subject: null,
      message: now.reason
    }]
}

const called = (guest: Guest): string =>
  guest.name === null ? formatGuestRef(guest) : `${formatGuestRef(guest)} (${displayText(guest.name)})`

const guestEvents = (
  before: ReadonlyMap<string, Guest>,
  now: ReadonlyMap<string, Guest>
): ReadonlyArray<NewEvent> => [
  ...[...now].flatMap(([key, guest]): ReadonlyArray<NewEvent> => {
    const previous = before.get(key)
    if (previous === undefined) {
      return [{ kind: "guest.appeared", severity: "info", subject: key, message: `${called(guest)} is new here` }]
    }
    return previous.status === guest.status || guest.status === "unknown" || previous.status === "unknown" ? [] : [{
      kind: "guest.changed",
      severity: guest.status === "stopped" ? "warning" : "info",
      subject: key,
      message: `${called(guest)} went from ${previous.status} to ${guest.status}`
    }]
  }),
  ...[...before].flatMap(([key, guest]): ReadonlyArray<NewEvent> =>
    now.has(key)
      ? []
      : [{ kind: "guest.disappeared", severity: "warning", subject: key, message: `${called(guest)} is gone` }]
  )
]

const storageEvents = (
  before: ReadonlyMap<string, Storage>,
  now: ReadonlyMap<string, Storage>
): ReadonlyArray<NewEvent> =>
  [...now].flatMap(([key, storage]): ReadonlyArray<NewEvent> => {
    const previous = before.get(key)
    if (previous === undefined || previous.active === storage.active) return []
    return storage.active
      ? [{ kind: "storage.online", severity: "info", subject: key, message: `storage ${displayText(key)} is back` }]
      : [{
        kind: "storage.offline",
        severity: "critical",
        subject: key,
        message: `storage ${displayText(key)} can't be reached, or is not mounted`
      }]
  })
