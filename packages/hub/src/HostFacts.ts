import type { Guest } from "@felhom/domain/Guest"
import type { HealthLine } from "@felhom/domain/Health"
import type { Inventory, ReportSections, Samples } from "@felhom/domain/HostReport"
import { humanShare } from "@felhom/domain/HumanText"
import { formatGuestRef } from "@felhom/domain/ProxmoxId"
import type { Section } from "@felhom/domain/Section"
import type { Disk, Storage, StorageUsage } from "@felhom/domain/Storage"
import { Schema } from "effect"
import { type Concern, critical, KeptConcern, warning } from "./Concern.ts"

const Unreadable = Schema.Struct({ what: Schema.String, reason: Schema.String })
type Unreadable = typeof Unreadable.Type

/** What follows from a host's inventory alone. Kept beside it, so that the list of hosts reads no inventory. */
export const InventoryFacts = Schema.Struct({
  guests: Schema.NullOr(Schema.Struct({ total: Schema.Int, running: Schema.Int })),
  storages: Schema.NullOr(Schema.Struct({ total: Schema.Int, active: Schema.Int })),
  unreadable: Schema.Array(Unreadable),
  concerns: Schema.Array(KeptConcern)
})
export type InventoryFacts = typeof InventoryFacts.Type

/** What follows from the samples and sections of a report. */
export const ReportFacts = Schema.Struct({
  unreadable: Schema.Array(Unreadable),
  concerns: Schema.Array(KeptConcern),
  /** Causes that the host itself tells as part of another one: they are no concern of their own. */
  covered: Schema.optionalWith(Schema.Array(Schema.String), { default: () => [] })
})
export type ReportFacts = typeof ReportFacts.Type

const unreadable = (sections: { readonly [what: string]: Section<unknown> }): ReadonlyArray<Unreadable> =>
  Object.entries(sections).flatMap(([what, section]) =>
    section.state === "unavailable" ? [{ what, reason: section.reason }] : []
  )

const valueOf = <A>(section: Section<ReadonlyArray<A>>): ReadonlyArray<A> => section.state === "ok" ? section.value : []

/** Below this much of a disk's life, in per cent, it is worth buying the next one. */
const wornOut = 10
const healthy = new Set(["PASSED", "OK", "UNKNOWN"])

/** From this share on a storage counts as full: thin pools and snapshots have no more room to breathe. */
const fullShare = 0.95

const storageConcerns = (storages: ReadonlyArray<Storage>): ReadonlyArray<Concern> =>
  storages.filter((storage) => storage.enabled && !storage.active).map(({ storage }) =>
    critical(`storage.offline ${storage}`, `storage ${storage} is offline`)
  )

const diskConcerns = (disks: ReadonlyArray<Disk>): ReadonlyArray<Concern> =>
  disks.flatMap(({ devicePath, health, wearout }) => [
    ...(healthy.has(health) ? [] : [critical(`disk.health ${devicePath}`, `disk ${devicePath} reports ${health}`)]),
    ...(wearout !== null && wearout <= wornOut
      ? [warning(`disk.worn ${devicePath}`, `disk ${devicePath} has ${wearout} % of its life left`)]
      : [])
  ])

const named = 3

const guestConcerns = (guests: ReadonlyArray<Guest>): ReadonlyArray<Concern> => {
  const hidden = guests.flatMap((guest) => {
    const section = guest.config.state === "unavailable" ? guest.config : guest.snapshots
    return section.state === "unavailable" ? [`${formatGuestRef(guest)} (${section.reason})`] : []
  })
  if (hidden.length === 0) return []
  const more = hidden.length > named ? ` and ${hidden.length - named} more` : ""
  return [
    warning(
      "guests.unreadable",
      `${hidden.length} ${hidden.length === 1 ? "guest" : "guests"} could not be read: ${
        hidden.slice(0, named).join(", ")
      }${more}`
    )
  ]
}

const usageConcerns = (usages: ReadonlyArray<StorageUsage>): ReadonlyArray<Concern> =>
  usages.flatMap(({ storage, total, used }) =>
    total !== null && total > 0 && used !== null && used / total >= fullShare
      ? [warning(`storage.full ${storage}`, `storage ${storage} is ${humanShare(used / total)} full`)]
      : []
  )

export const inventoryFacts = (inventory: Inventory): InventoryFacts => {
  const guests = valueOf(inventory.guests).filter((guest) => !guest.template)
  const storages = valueOf(inventory.storages).filter((storage) => storage.enabled)
  return {
    guests: inventory.guests.state === "ok"
      ? { total: guests.length, running: guests.filter((guest) => guest.status === "running").length }
      : null,
    storages: inventory.storages.state === "ok"
      ? { total: storages.length, active: storages.filter((storage) => storage.active).length }
      : null,
    unreadable: unreadable({ guests: inventory.guests, storages: inventory.storages, disks: inventory.disks }),
    concerns: [
      ...storageConcerns(storages),
      ...diskConcerns(valueOf(inventory.disks)),
      ...guestConcerns(valueOf(inventory.guests))
    ]
  }
}

const healthKinds: { readonly [kind in HealthLine["kind"]]: string } = {
  disk: "disk",
  sensor: "sensor",
  storage: "storage",
  "disk-set": "set of disks"
}

/** The host's own judgement, which has seen more than one report: what it calls unknown is no concern, it only can't look. */
const healthConcerns = (lines: ReadonlyArray<HealthLine>): ReadonlyArray<Concern> =>
  lines.flatMap(({ id, kind, name, reasons, state }) => {
    if (state !== "warn" && state !== "fail") return []
    const called = `${healthKinds[kind]} ${name}${id === name ? "" : ` (${id})`}`
    const sentence = `${called}: ${reasons.join("; ")}`
    const cause = `${kind}.health ${name}`
    return [state === "fail" ? critical(cause, sentence) : warning(cause, sentence)]
  })

const coveredBy = (lines: ReadonlyArray<HealthLine>): ReadonlyArray<string> =>
  lines.filter(({ state }) => state === "warn" || state === "fail").flatMap(({ kind, name, state, storages }) => [
    ...(kind === "disk" ? [`disk.health ${name}`, `disk.worn ${name}`] : []),
    ...(kind === "storage" ? [`storage.full ${name}`, `storage.offline ${name}`] : []),
    ...(state === "fail" ? storages.flatMap((storage) => [`storage.offline ${storage}`]) : [])
  ])

/** Temperatures and the sections of work not yet configured may be missing on a healthy host, so they are no concern. */
export const reportFacts = (samples: Samples, sections: ReportSections): ReportFacts => ({
  unreadable: unreadable({
    "the node's load": samples.node,
    "the guests' load": samples.guests,
    "storage usage": sections.storage,
    backups: sections.backup
  }),
  ...withHealth(
    usageConcerns(valueOf(sections.storage)),
    sections.health?.state === "ok" ? sections.health.value.lines : []
  )
})

const withHealth = (
  usage: ReadonlyArray<Concern>,
  lines: ReadonlyArray<HealthLine>
): Pick<ReportFacts, "concerns" | "covered"> => {
  const covered = coveredBy(lines)
  return { concerns: [...usage.filter(({ cause }) => !covered.includes(cause)), ...healthConcerns(lines)], covered }
}
