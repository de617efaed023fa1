import { displayText } from "@felhom/domain/DisplayText"
import type { Guest } from "@felhom/domain/Guest"
import type { Inventory, ReportSections, Samples } from "@felhom/domain/HostReport"
import { type Crypto } from "@felhom/domain/port/Crypto"
import { formatGuestRef } from "@felhom/domain/ProxmoxId"
import { type Section, sectionOk, sectionUnavailable } from "@felhom/domain/Section"
import { now } from "@felhom/domain/Time"
import { Privileged } from "@felhom/privileged/Privileged"
import type { Listing } from "@felhom/proxmox/Listing"
import type { NodeStatus, Permissions } from "@felhom/proxmox/NodeRows"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import type { ProxmoxError, ProxmoxReason } from "@felhom/proxmox/ProxmoxError"
import type { StorageRow } from "@felhom/proxmox/StorageRows"
import { Context, Data, Effect, Layer, Ref } from "effect"
import { makeGuestReader } from "./GuestReadings.ts"
import { backupOf, diskOf, guestOf, guestSampleOf, nodeSampleOf, storageOf, storageUsageOf } from "./InventoryRows.ts"
import type { Observation, ProxmoxCondition } from "./Observation.ts"
import { explainMissing } from "./Rights.ts"
import { backupsChanged, type EndedTask, makeTaskWatch } from "./TaskWatch.ts"

/** Looks at the host. Never fails: what can't be read says why, in its own section. */
export class Observer extends Context.Tag("felhom/reconciler/Observer")<Observer, {
  readonly observe: Effect.Effect<Observation>
}>() {}

type Needs = ProxmoxClient | Privileged | Crypto

/** SMART wakes disks, and what it says changes rarely. */
const diskMillis = 600_000

/** Lists of backups are slow. Between the tasks that change them, this many cycles pass from one reading to the next. */
const backupCycles = 15

/** Reasons that are about the host or the token as a whole, after which asking further questions would only cost time. */
const conditionOf: { readonly [reason in ProxmoxReason]?: "refused" | "unreachable" } = {
  unauthorized: "refused",
  "refused-certificate": "refused",
  "node-not-found": "refused",
  malformed: "refused",
  unreachable: "unreachable",
  "not-started": "unreachable",
  "outcome-unknown": "unreachable"
}

const section = <A>(
  read: Effect.Effect<A, { readonly message: string }, Needs>
): Effect.Effect<Section<A>, never, Needs> =>
  Effect.flatMap(now, (readAt) =>
    Effect.match(read, {
      onFailure: (error) => sectionUnavailable(error.message),
      onSuccess: (value) => sectionOk(readAt, value)
    }))

/** Why a section is not there, in words. */
class Unreadable extends Data.TaggedError("Unreadable")<{ readonly message: string }> {}

const listed = <A, B>(listing: Listing<A>, map: (row: A) => B): Effect.Effect<ReadonlyArray<B>, Unreadable> =>
  listing.unreadable.length === 0
    ? Effect.succeed(listing.rows.map(map))
    : new Unreadable({
      message: `Proxmox's answer has rows that can't be read: ${
        listing.unreadable.map(({ problem, row }) => displayText(`${row}: ${problem}`)).join("; ")
      }`
    })

/** Holds an answer for as long as `isFresh` finds it so, but asks again after a failure. */
const makeHeld = <A>(read: Effect.Effect<Section<A>, never, Needs>) =>
  Effect.map(
    Ref.make<Section<A>>(sectionUnavailable("not read yet")),
    (memory) => (isFresh: (readAt: number, now: number) => boolean) =>
      Effect.gen(function*() {
        const last = yield* Ref.get(memory)
        if (last.state === "ok" && isFresh(last.readAt, yield* now)) return last
        return yield* Effect.tap(read, (found) => Ref.set(memory, found))
      })
  )

/** A list that Proxmox filters by rights is empty, and answered with 200, for a token that may see nothing (platform-facts 3.2). */
const blindTo = (permissions: Permissions, prefix: string, privileges: ReadonlyArray<string>): boolean =>
  !Object.entries(permissions).some(([path, held]) =>
    (path === prefix || path.startsWith(`${prefix}/`)) && privileges.some((privilege) => privilege in held)
  )

const blindness = (
  permissions: Permissions,
  prefix: string,
  privilege: "VM.Audit" | "Datastore.Audit",
  tokenId: string
) =>
  explainMissing(
    { missing: [{ privilege, path: prefix }], extra: [], nothingHeld: Object.keys(permissions).length === 0 },
    tokenId
  )

const backupsOn = (storages: Section<ReadonlyArray<StorageRow>>) =>
  Effect.gen(function*() {
    if (storages.state !== "ok") return yield* new Unreadable({ message: storages.reason })
    const client = yield* ProxmoxClient
    const rows = storages.value.filter((row) => row.enabled && row.content.includes("backup"))
    const offline = rows.filter((row) => !row.active).map((row) => row.storage)
    if (offline.length > 0) return yield* new Unreadable({ message: `not active: ${offline.join(", ")}` })
    const lists = yield* Effect.forEach(rows, (row) =>
      Effect.flatMap(client.storageContent(row.storage, { content: "backup" }), (listing) =>
        listed(listing, backupOf)))
    return lists.flat()
  })

/** Where backups are looked for, and which of those places can be looked at. */
const backupPlaces = (storages: Section<ReadonlyArray<StorageRow>>): string =>
  storages.state !== "ok" ? "unknown" : JSON.stringify(
    storages.value.filter((row) => row.enabled && row.content.includes("backup"))
      .map(({ active, storage }) => [storage, active]).sort()
  )

const blank = (reason: string): Pick<Observation, "inventory" | "samples" | "sections"> => {
  const unavailable = sectionUnavailable(reason)
  return {
    inventory: {
      guests: unavailable,
      storages: unavailable,
      disks: unavailable,
      policyHash: null,
      desired: null,
      hold: false
    },
    samples: { node: unavailable, guests: unavailable, temperatures: unavailable },
    sections: { storage: unavailable, backup: unavailable, pbs: unavailable, ...notYet }
  }
}

const notYet = {
  restore: sectionUnavailable("this version of the agent restores nothing"),
  audit: sectionUnavailable("not read yet")
}

/** What looks at the host, from now on. */
export const make: Effect.Effect<Context.Tag.Service<Observer>, never, Needs> = Effect.gen(function*() {
  const context = yield* Effect.context<Needs>()
  const client = yield* ProxmoxClient
  const privileged = yield* Privileged
  const reader = yield* makeGuestReader
  const endedTasks = yield* makeTaskWatch
  const readDisks = yield* makeHeld(section(Effect.flatMap(client.disks(), (listing) => listed(listing, diskOf))))
  const storageRows = yield* Ref.make<Section<ReadonlyArray<StorageRow>>>(sectionUnavailable("not read yet"))
  const heldBackups = yield* makeHeld(section(Effect.flatMap(Ref.get(storageRows), backupsOn)))
  const backupsRead = yield* Ref.make({ places: "", cycles: 0 })

  const readBackups = (tasks: ReadonlyArray<EndedTask>, storages: Section<ReadonlyArray<StorageRow>>) =>
    Effect.gen(function*() {
      const before = yield* Ref.get(backupsRead)
      const places = backupPlaces(storages)
      const cycles = before.cycles + 1
      const stale = cycles >= backupCycles || places !== before.places || backupsChanged(tasks)
      yield* Ref.set(backupsRead, { places, cycles: stale ? 0 : cycles })
      return yield* heldBackups(() => !stale)
    })

  const temperatures = section(
    Effect.flatMap(privileged.smart({ action: "sensors" }), (result) =>
      result.action === "sensors"
        ? Effect.succeed(result.temperatures)
        : new Unreadable({ message: "the helper answered another question" }))
  )

  // Rights explain an empty list, and are asked for only then; when they can't be read themselves, the list is taken as it is.
  const rights = Effect.orElseSucceed(client.permissions(), () => undefined)

  const readStorages = section(Effect.gen(function*() {
    const rows = yield* Effect.flatMap(client.storages, (listing) => listed(listing, (row) => row))
    const permissions = rows.length === 0 ? yield* rights : undefined
    if (
      permissions !== undefined && blindTo(permissions, "/storage", ["Datastore.Audit", "Datastore.AllocateSpace"])
    ) {
      return yield* new Unreadable({ message: blindness(permissions, "/storage", "Datastore.Audit", client.tokenId) })
    }
    return rows
  }))

  const readGuestRows = section(Effect.gen(function*() {
    const { guests, unreadable } = yield* client.clusterResources
    const everywhere = yield* listed({ rows: guests, unreadable }, (row) => row)
    const rows = everywhere.filter((row) => row.node === client.node)
    const permissions = rows.length === 0 ? yield* rights : undefined
    if (permissions !== undefined && blindTo(permissions, "/vms", ["VM.Audit"])) {
      return yield* new Unreadable({ message: blindness(permissions, "/vms", "VM.Audit", client.tokenId) })
    }
    return { everywhere, rows }
  }))

  const whole = (status: NodeStatus | undefined, statusSection: Section<NodeStatus>) =>
    Effect.gen(function*() {
      // First of all, so that what ends while the rest is read is told the next time.
      const tasks = yield* endedTasks
      const listing = yield* readGuestRows
      const rows = mapSection(listing, (value) => value.rows)
      const storages = yield* readStorages
      yield* Ref.set(storageRows, storages)
      const read = rows.state === "ok" ? yield* reader.read(rows.value, tasks) : undefined
      const guests: Section<ReadonlyArray<Guest>> = mapSection(rows, (value) =>
        value.flatMap((row) => {
          const reading = read?.readings.get(formatGuestRef(row))
          return reading === undefined ? [] : [guestOf(row, reading)]
        }))
      const inventory: Inventory = {
        guests,
        storages: mapSection(storages, (value) => value.map(storageOf)),
        disks: yield* readDisks((readAt, now) => now - readAt < diskMillis),
        policyHash: null,
        desired: null,
        hold: false
      }
      const samples: Samples = {
        node: mapSection(statusSection, nodeSampleOf),
        guests: mapSection(rows, (value) => value.map(guestSampleOf)),
        temperatures: yield* temperatures
      }
      const sections: ReportSections = {
        storage: mapSection(storages, (value) => value.map(storageUsageOf)),
        backup: yield* readBackups(tasks, storages),
        pbs: mapSection(storages, (value) => value.filter((row) => row.type === "pbs").map(storageOf)),
        ...notYet
      }
      return {
        pveVersion: plainVersion(status?.pveversion ?? null),
        kernel: status?.["current-kernel"]?.release ?? status?.kversion ?? null,
        inventory,
        samples,
        sections,
        ...(listing.state !== "ok" || storages.state !== "ok" || read === undefined ? {} : {
          seen: {
            node: client.node,
            guests: listing.value.everywhere,
            configs: read.configs,
            storages: storages.value,
            doubt: reader.doubt
          }
        })
      }
    })

  const observe = Effect.gen(function*() {
    const takenAt = yield* now
    const status = yield* Effect.either(client.nodeStatus)
    if (status._tag === "Left") {
      const condition = wholeCondition(status.left)
      if (condition.state !== "ok") {
        return { takenAt, proxmox: condition, pveVersion: null, kernel: null, ...blank(condition.reason) }
      }
      const found = yield* whole(undefined, sectionUnavailable(status.left.message))
      return { takenAt, proxmox: condition, ...found }
    }
    const found = yield* whole(status.right, sectionOk(takenAt, status.right))
    return { takenAt, proxmox: { state: "ok" } as const, ...found }
  })

  return Observer.of({ observe: Effect.provide(observe, context) })
})

/** `9.2.11` of `pve-manager/9.2.11/14a22df35955d97d`. */
const plainVersion = (pveversion: string | null): string | null => pveversion?.split("/")[1] ?? pveversion

const wholeCondition = (error: ProxmoxError): ProxmoxCondition => {
  const state = conditionOf[error.reason]
  return state === undefined ? { state: "ok" } : { state, reason: error.cause?.message ?? error.message }
}

const mapSection = <A, B>(from: Section<A>, map: (value: A) => B): Section<B> =>
  from.state === "ok" ? sectionOk(from.readAt, map(from.value)) : from

export const layer: Layer.Layer<Observer, never, Needs> = Layer.effect(Observer, make).pipe(
  Layer.ensureRequirementsType<Needs>()
)
