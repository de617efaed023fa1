import { configHash, guestIdentity, trimDescription } from "@felhom/domain/GuestConfig"
import type { Crypto } from "@felhom/domain/port/Crypto"
import { formatGuestRef } from "@felhom/domain/ProxmoxId"
import { sectionOk, sectionUnavailable } from "@felhom/domain/Section"
import { EpochMillis } from "@felhom/domain/Time"
import type { GuestResource } from "@felhom/proxmox/GuestRows"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import { Clock, Effect, Ref } from "effect"
import type { GuestReading } from "./InventoryRows.ts"

interface Kept {
  /** The row as it stood when the configuration was read. */
  readonly row: string
  readonly readAt: number
  readonly complete: boolean
  readonly reading: GuestReading
}

// Reading a configuration costs the host a request, so it is read again only when the guest's row changed, when the last read
// failed, and in a sweep over all guests that takes 60 cycles.
const sweepCycles = 60

const rowText = (row: GuestResource): string =>
  JSON.stringify([row.name, row.status, row.template, row.lock, row.tags, row.maxcpu, row.maxmem, row.maxdisk])

const isOn = (value: unknown): boolean => value === 1 || value === "1" || value === true

const readConfig = (row: GuestResource, readAt: EpochMillis) =>
  Effect.gen(function*() {
    const client = yield* ProxmoxClient
    const config = yield* client.guestConfig(row)
    const description = config["description"]
    return sectionOk(readAt, {
      identity: guestIdentity(row.type, config),
      hash: yield* configHash(config),
      protection: isOn(config["protection"]),
      onboot: isOn(config["onboot"]),
      description: typeof description === "string" ? trimDescription(description) : null
    })
  }).pipe(Effect.catchTag("ProxmoxError", (error) => Effect.succeed(sectionUnavailable(error.message))))

const readSnapshots = (row: GuestResource, readAt: EpochMillis) =>
  Effect.gen(function*() {
    const client = yield* ProxmoxClient
    const { rows, unreadable } = yield* client.snapshots(row)
    return unreadable.length === 0
      ? sectionOk(readAt, rows)
      : sectionUnavailable(`snapshots could not be read: ${unreadable.map((one) => one.row).join(", ")}`)
  }).pipe(Effect.catchTag("ProxmoxError", (error) => Effect.succeed(sectionUnavailable(error.message))))

const readOne = (row: GuestResource): Effect.Effect<Kept, never, ProxmoxClient | Crypto> =>
  Effect.gen(function*() {
    const readAt = EpochMillis.make(yield* Clock.currentTimeMillis)
    const reading = yield* Effect.all({ config: readConfig(row, readAt), snapshots: readSnapshots(row, readAt) })
    const complete = reading.config.state === "ok" && reading.snapshots.state === "ok"
    return { row: rowText(row), readAt, complete, reading }
  })

/** Which guests to read this time: those whose reading is missing or out of date, and the oldest few of the others. */
const due = (
  rows: ReadonlyArray<GuestResource>,
  kept: ReadonlyMap<string, Kept>
): ReadonlyArray<GuestResource> => {
  const current = (row: GuestResource): Kept | undefined => {
    const found = kept.get(formatGuestRef(row))
    return found?.complete === true && found.row === rowText(row) ? found : undefined
  }
  const aged = rows
    .flatMap((row) => {
      const found = current(row)
      return found === undefined ? [] : [{ row, readAt: found.readAt }]
    })
    .sort((a, b) => a.readAt - b.readAt)
    .slice(0, Math.ceil(rows.length / sweepCycles))
  return [...rows.filter((row) => current(row) === undefined), ...aged.map(({ row }) => row)]
}

/** Reads guests' configurations and snapshots, and keeps what need not be read again; by `type/vmid`, one for each row. */
export const makeGuestReadings: Effect.Effect<
  (rows: ReadonlyArray<GuestResource>) => Effect.Effect<
    ReadonlyMap<string, GuestReading>,
    never,
    ProxmoxClient | Crypto
  >
> = Effect.map(Ref.make<ReadonlyMap<string, Kept>>(new Map()), (memory) => (rows) =>
  Effect.gen(function*() {
    const kept = yield* Ref.get(memory)
    const fresh = yield* Effect.forEach(
      due(rows, kept),
      (row) => Effect.map(readOne(row), (reading) => [formatGuestRef(row), reading] as const),
      { concurrency: 2 }
    )
    // Guests that are gone are forgotten: a new one under the same number must not inherit anything.
    const present = new Set(rows.map(formatGuestRef))
    const all = new Map([...kept, ...fresh].filter(([key]) => present.has(key)))
    yield* Ref.set(memory, all)
    return new Map([...all].map(([key, { reading }]) => [key, reading]))
  }))
