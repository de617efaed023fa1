import { configHash, type GuestConfig, guestIdentity, trimDescription } from "@felhom/domain/GuestConfig"
import type { Crypto } from "@felhom/domain/port/Crypto"
import { formatGuestRef, type GuestRef } from "@felhom/domain/ProxmoxId"
import { sectionOk, sectionUnavailable } from "@felhom/domain/Section"
import { type EpochMillis, now } from "@felhom/domain/Time"
import type { GuestResource } from "@felhom/proxmox/GuestRows"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import { Effect, Either, Ref } from "effect"
import type { GuestReading } from "./InventoryRows.ts"
import { configsChanged, type EndedTask, snapshotsChanged } from "./TaskWatch.ts"

interface Kept {
  /** The row as it stood when the configuration was read. */
  readonly row: string
  /** In which observation the configuration was read, from 1. No clock says which is the oldest: somebody may set it back. */
  readonly readIn: number
  readonly parent: unknown
  /** Proxmox's digest when the snapshots were read: it covers them too (platform-facts 5.9). */
  readonly snapshotsDigest: unknown
  readonly reading: GuestReading
  /** As Proxmox answered it, pending changes merged in; null where it could not be read. */
  readonly config: GuestConfig | null
}

// Reading a configuration costs the host a request, so it is read again only when the guest's row changed, when a task changed
// it, when the last read failed, and in a sweep over all guests that takes 60 cycles.
const sweepCycles = 60

const rowText = (row: GuestResource): string =>
  JSON.stringify([row.name, row.status, row.template, row.lock, row.tags, row.maxcpu, row.maxmem, row.maxdisk])

const isOn = (value: unknown): boolean => value === 1 || value === "1" || value === true

type Shown = Extract<GuestReading["config"], { readonly state: "ok" }>["value"]

const shownBy = (type: GuestResource["type"], config: GuestConfig): Effect.Effect<Shown, never, Crypto> =>
  Effect.map(configHash(config), (hash) => {
    const description = config["description"]
    return {
      identity: guestIdentity(type, config),
      hash,
      protection: isOn(config["protection"]),
      onboot: isOn(config["onboot"]),
      description: typeof description === "string" ? trimDescription(description) : null
    }
  })

/** What configurations showed before, by type. One that says what it said last comes as the same object, which nobody changes. */
type ShownBefore = { readonly [type in GuestResource["type"]]: WeakMap<GuestConfig, Shown> }

const configSection = (
  before: ShownBefore,
  type: GuestResource["type"],
  config: GuestConfig,
  readAt: EpochMillis
): Effect.Effect<GuestReading["config"], never, Crypto> => {
  const known = before[type].get(config)
  return known === undefined
    ? Effect.map(shownBy(type, config), (shown) => {
      before[type].set(config, shown)
      return sectionOk(readAt, shown)
    })
    : Effect.succeed(sectionOk(readAt, known))
}

const readSnapshots = (row: GuestResource, readAt: EpochMillis) =>
  Effect.gen(function*() {
    const client = yield* ProxmoxClient
    const { rows, unreadable } = yield* client.snapshots(row)
    return unreadable.length === 0
      ? sectionOk(readAt, rows)
      : sectionUnavailable(`snapshots could not be read: ${unreadable.map((one) => one.row).join(", ")}`)
  }).pipe(Effect.catchTag("ProxmoxError", (error) => Effect.succeed(sectionUnavailable(error.message))))

/** What one guest is to be read for. */
interface Due {
  readonly row: GuestResource
  readonly kept: Kept | undefined
  /** Which observation this is. */
  readonly observation: number
  readonly config: boolean
  readonly snapshots: boolean
  /** Its turn in the sweep: then its snapshots are compared too. */
  readonly turn: boolean
}

// A list of snapshots costs another request. It can't have changed while the digest is the same; the digest changes with much
// else too, so between two turns of the sweep a changed configuration has them read only if the guest stands on another one.
const wantsSnapshots = (due: Due, config: GuestConfig): boolean =>
  due.snapshots || due.kept === undefined || due.kept.reading.snapshots.state !== "ok" ||
  due.kept.parent !== config["parent"] ||
  (due.turn && (config["digest"] === undefined || due.kept.snapshotsDigest !== config["digest"]))

const readOne = (due: Due, before: ShownBefore): Effect.Effect<Kept, never, ProxmoxClient | Crypto> =>
  Effect.gen(function*() {
    const { kept, observation, row } = due
    const client = yield* ProxmoxClient
    const readAt = yield* now
    if (!due.config && kept !== undefined) {
      const snapshots = yield* readSnapshots(row, readAt)
      // Without the configuration the digest is not known; the next turn compares anew.
      return { ...kept, snapshotsDigest: null, reading: { ...kept.reading, snapshots } }
    }
    const read = yield* Effect.either(client.guestConfig(row))
    if (Either.isLeft(read)) {
      const unavailable = sectionUnavailable(read.left.message)
      const snapshots = kept?.reading.snapshots ?? (yield* readSnapshots(row, readAt))
      return {
        row: rowText(row),
        readIn: observation,
        parent: kept?.parent,
        snapshotsDigest: null,
        reading: { config: unavailable, snapshots },
        config: null
      }
    }
    const config = read.right
    const again = wantsSnapshots(due, config)
    return {
      row: rowText(row),
      readIn: observation,
      parent: config["parent"],
      snapshotsDigest: again ? config["digest"] : kept?.snapshotsDigest,
      reading: {
        config: yield* configSection(before, row.type, config, readAt),
        snapshots: again || kept === undefined ? yield* readSnapshots(row, readAt) : kept.reading.snapshots
      },
      config
    }
  })

/** Which guests to read this time: those whose reading is missing or out of date, and the oldest few of the others. */
const dueOf = (
  rows: ReadonlyArray<GuestResource>,
  memory: ReadonlyMap<string, Kept>,
  tasks: ReadonlyArray<EndedTask>,
  doubtful: ReadonlySet<string>,
  observation: number
): ReadonlyArray<Due> => {
  const [configs, snapshots] = [configsChanged(tasks), snapshotsChanged(tasks)]
  const all = rows.map((row): Due => {
    const key = formatGuestRef(row)
    const kept = memory.get(key)
    const number = String(row.vmid)
    return {
      row,
      kept,
      observation,
      config: kept?.reading.config.state !== "ok" || kept.row !== rowText(row) || configs.has(number) ||
        doubtful.has(key),
      snapshots: snapshots.has(number) || kept?.reading.snapshots.state !== "ok",
      turn: false
    }
  })
  const turns = new Set(
    all.filter(({ config }) => !config)
      .sort((a, b) => (a.kept?.readIn ?? 0) - (b.kept?.readIn ?? 0))
      .slice(0, Math.ceil(rows.length / sweepCycles))
      .map(({ row }) => formatGuestRef(row))
  )
  return all
    .map((due) => (turns.has(formatGuestRef(due.row)) ? { ...due, config: true, turn: true } : due))
    .filter(({ config, snapshots: listing }) => config || listing)
}

/** What is known of the guests in a list. */
export interface GuestReadings {
  /** By `type/vmid`, one for each row. */
  readonly readings: ReadonlyMap<string, GuestReading>
  /** By `type/vmid`, pending changes merged in; of those whose configuration could be read. */
  readonly configs: ReadonlyMap<string, GuestConfig>
}

/** Reads guests, and keeps what need not be read again. */
export interface GuestReader {
  /** `tasks` are those that ended since the last time. */
  readonly read: (
    rows: ReadonlyArray<GuestResource>,
    tasks: ReadonlyArray<EndedTask>
  ) => Effect.Effect<GuestReadings, never, ProxmoxClient | Crypto>
  /** This guest's configuration was changed, or may have been: it is read anew the next time. */
  readonly doubt: (ref: GuestRef) => Effect.Effect<void>
}

export const makeGuestReader: Effect.Effect<GuestReader> = Effect.map(
  Ref.make<ReadonlyMap<string, Kept>>(new Map()),
  (memory) => {
    const before: ShownBefore = { lxc: new WeakMap(), qemu: new WeakMap() }
    const doubtful = new Set<string>()
    let observations = 0
    return {
      doubt: (ref) => Effect.sync(() => void doubtful.add(formatGuestRef(ref))),
      read: (rows, tasks) =>
        Effect.gen(function*() {
          const kept = yield* Ref.get(memory)
          observations += 1
          const due = dueOf(rows, kept, tasks, doubtful, observations)
          // What is doubted from now on may have changed after it was read.
          doubtful.clear()
          const fresh = yield* Effect.forEach(
            due,
            (one) => Effect.map(readOne(one, before), (reading) => [formatGuestRef(one.row), reading] as const),
            // One takes no fibers of its own, and most cycles have but one.
            { concurrency: Math.min(2, Math.max(1, due.length)) }
          )
          // Guests that are gone are forgotten: a new one under the same number must not inherit anything.
          const present = new Set(rows.map(formatGuestRef))
          const all = [...new Map([...kept, ...fresh])].filter(([key]) => present.has(key))
          yield* Ref.set(memory, new Map(all))
          return {
            readings: new Map(all.map(([key, { reading }]) => [key, reading])),
            configs: new Map(all.flatMap(([key, { config }]) => (config === null ? [] : [[key, config]])))
          }
        })
    }
  }
)
