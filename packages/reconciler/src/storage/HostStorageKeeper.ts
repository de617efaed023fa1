import { HostPolicy } from "@felhom/authz/HostPolicy"
import type { HealthState } from "@felhom/domain/Health"
import type { Sighting } from "@felhom/domain/HealthBook"
import type { DiskSet, HostStorage, NetworkStorage } from "@felhom/domain/HostStorage"
import type { HostStoragePolicy } from "@felhom/domain/HostStoragePolicy"
import { humanDuration } from "@felhom/domain/HumanText"
import type { DurableFile } from "@felhom/domain/port/DurableFile"
import { type Section, sectionOk, sectionUnavailable } from "@felhom/domain/Section"
import { type EpochMillis, now } from "@felhom/domain/Time"
import { Hold } from "@felhom/durable/Hold"
import { StateFile } from "@felhom/durable/StateFile"
import { type MountableDevice, MountName } from "@felhom/privileged/Mount"
import { Privileged } from "@felhom/privileged/Privileged"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import { Cause, Context, Data, Effect, Option, Ref, Schema } from "effect"
import * as DiskKeeper from "../disks/DiskKeeper.ts"
import { freshSet, makeDiskRecords, noRecords } from "../disks/DiskRecords.ts"
import { keepNetworkStorages, type Secrets } from "./NetworkStorages.ts"
import { ownersOn, usesNow } from "./StorageUse.ts"
import { whyNotWriting } from "./StorageWriting.ts"

/** What a person asked for is not done; the message says why, and what to do. */
export class DisksRefused extends Data.TaggedError("DisksRefused")<{ readonly message: string }> {}

/** What is plugged in, and how the sets and storages of the policy are. */
export interface DisksNow {
  readonly kept: HostStorage
  readonly devices: ReadonlyArray<MountableDevice>
}

/** Looks after the storages that the host's policy names: sets of disks that take turns, and other machines. */
export class HostStorageKeeper extends Context.Tag("felhom/reconciler/HostStorageKeeper")<HostStorageKeeper, {
  /** As it was found last; undefined while the policy names none. */
  readonly section: Effect.Effect<Section<HostStorage> | undefined>
  /** What the sets have to say of the host's health. */
  readonly sightings: Effect.Effect<ReadonlyArray<Sighting>>
  /** Looks now, does what there is to do, and tells. */
  readonly now: Effect.Effect<DisksNow, DisksRefused>
  /** Takes the disk of a set out of use, so that it may be unplugged. By the set's name or the disk's. */
  readonly eject: (name: string) => Effect.Effect<string, DisksRefused>
  /** Takes a disk as it is at its next mount, whatever its mark. */
  readonly adopt: (disk: string) => Effect.Effect<string, DisksRefused>
  /** Looks after it for ever. */
  readonly run: Effect.Effect<never>
}>() {}

export type KeeperNeeds = DiskKeeper.KeeperNeeds | DurableFile

/** Between two looks at what is plugged in, and at storages on other machines. Milliseconds. */
export const storagePauses = { sets: 60_000, network: 600_000 } as const

const decodeName = Schema.decodeSync(MountName)

const names = (of: { readonly [name: string]: unknown }): string => Object.keys(of).join(", ") || "none"

const isEmpty = ({ disks, network }: HostStoragePolicy): boolean =>
  Object.keys(disks).length === 0 && Object.keys(network).length === 0

const day = 86_400_000

const setSighting = (set: DiskSet, ejectedAt: number | null, at: number): Sighting => {
  const of = { kind: "disk-set" as const, id: set.name, name: set.name, storages: [set.storage] }
  const members = set.members.flatMap(({ state, why }) =>
    state === "due-back" || state === "refused" ? [why ?? state] : []
  )
  const as = (state: HealthState, reason: string | null): Sighting => ({
    ...of,
    state: state === "ok" && members.length > 0 ? "warn" : state,
    reasons: [...(reason === null ? [] : [reason]), ...members]
  })
  if (set.state === "missing" || set.state === "trouble") return as("fail", set.why)
  if (set.state === "ejected" && ejectedAt !== null && at - ejectedAt > day) {
    return as("warn", `a person ejected its disk ${humanDuration(at - ejectedAt)} ago, and none was plugged in since`)
  }
  return as("ok", null)
}

const networkSighting = ({ state, storage, why }: NetworkStorage): ReadonlyArray<Sighting> =>
  state === "ready" ? [] : [{
    kind: "storage",
    id: `policy ${storage}`,
    name: `${storage} (by the policy)`,
    storages: [storage],
    state: "fail",
    reasons: [why ?? "it could not be set up"]
  }]

/** Over the records in the folder. */
export const make = (
  folder: string,
  secrets: Secrets
): Effect.Effect<typeof HostStorageKeeper.Service, never, KeeperNeeds> =>
  Effect.gen(function*() {
    const context = yield* Effect.context<KeeperNeeds>()
    const client = yield* ProxmoxClient
    const records = yield* makeDiskRecords(folder)
    const proven = yield* Ref.make<ReadonlyMap<string, string>>(new Map())
    const keeper = yield* DiskKeeper.make(records, proven)
    const told = yield* Ref.make<Section<HostStorage> | undefined>(undefined)
    const lastSeen = yield* Ref.make<ReadonlyArray<DiskSet>>([])
    const network = yield* Ref.make<
      { readonly at: number; readonly storages: ReadonlyArray<NetworkStorage> } | undefined
    >(
      undefined
    )
    const one = yield* Effect.makeSemaphore(1)

    /** Why nothing new is begun now, whatever there would be to do. */
    const mayNot = (policy: HostStoragePolicy, problem: Option.Option<string>) =>
      Effect.gen(function*() {
        const held = yield* (yield* Hold).current
        if (Option.isSome(held)) return "the host is held, so nothing new is begun (felhom-agent hold --release)"
        if (Option.isSome(problem)) return `the host's policy can't be read: ${problem.value}`
        return yield* whyNotWriting(policy.writesCluster)
      })

    const keptNetwork = (
      policy: HostStoragePolicy,
      rows: Parameters<typeof keepNetworkStorages>[1],
      why: string | null
    ) =>
      Effect.gen(function*() {
        const at = yield* now
        const before = yield* Ref.get(network)
        const fresh = before !== undefined && at - before.at < storagePauses.network &&
          before.storages.length === Object.keys(policy.network).length
        if (fresh) return before.storages
        const storages = yield* keepNetworkStorages(policy.network, rows, records, secrets, why)
        const known = new Map((before?.storages ?? []).map((each) => [each.storage, each.why]))
        yield* (yield* StateFile).record(storages.flatMap((each) =>
          each.why === null || each.why === known.get(each.storage) ? [] : [{
            kind: "storage.trouble" as const,
            severity: "warning" as const,
            subject: each.storage,
            message: `storage ${each.storage}: ${each.why}`
          }]
        ))
        yield* Ref.set(network, { at, storages })
        return storages
      })

    const pass = Effect.gen(function*() {
      const { policy: { storage: policy }, problem } = yield* (yield* HostPolicy).current
      if (isEmpty(policy)) {
        yield* Ref.set(told, undefined)
        return undefined
      }
      const why = yield* mayNot(policy, problem)
      const { rows } = yield* client.storageConfig
      const { devices, sets } = Object.keys(policy.disks).length === 0
        ? { devices: [], sets: [] }
        : yield* keeper.pass(policy, rows, why)
      const kept: HostStorage = { sets, network: yield* keptNetwork(policy, rows, why) }
      yield* Ref.set(told, sectionOk(yield* now, kept))
      return { kept, devices }
    }).pipe(
      Effect.tapError((error) =>
        Effect.gen(function*() {
          const before = yield* Ref.getAndSet(told, sectionUnavailable(error.message))
          if (before?.state === "ok") yield* Ref.set(lastSeen, before.value.sets)
          if (before?.state === "unavailable" && before.reason === error.message) return
          yield* Effect.logWarning("the host's disks and storages can't be looked after", error.message)
        })
      ),
      one.withPermits(1)
    )

    const refused = Effect.mapError(({ message }: { readonly message: string }) => new DisksRefused({ message }))

    const onlyListed = Effect.map(
      Effect.flatMap(Privileged, ({ mount }) => mount({ action: "list" })),
      (answer): DisksNow => ({
        kept: { sets: [], network: [] },
        devices: answer.action === "list" ? answer.devices : []
      })
    )
    const look = Effect.filterOrElse(pass, (found) => found !== undefined, () => onlyListed)

    const setOf = (name: string) =>
      Effect.gen(function*() {
        const { policy: { storage: { disks } } } = yield* (yield* HostPolicy).current
        const found = Object.entries(disks).find(([set, { disks }]) => set === name || Object.hasOwn(disks, name))
        if (found === undefined) {
          return yield* new DisksRefused({
            message: `the host's policy has no set and no disk of the name ${name}; its sets: ${names(disks)}`
          })
        }
        return { set: found[0], policy: found[1] }
      })

    /** Answers with the records as they were. */
    const ejectedOnRecord = (set: string, disk: string, at: EpochMillis) =>
      Effect.gen(function*() {
        const before = Option.getOrElse(yield* records.current, () => noRecords)
        const record = before.disks[disk]
        const disks = record === undefined
          ? before.disks
          : { ...before.disks, [disk]: { ...record, ejected: true, mountedAt: at } }
        const sets = { ...before.sets, [set]: { ...before.sets[set] ?? freshSet, unitOf: null, ejectedAt: at } }
        yield* records.change(() => Effect.succeed({ ...before, disks, sets }))
        return before
      })

    const eject = (name: string) =>
      Effect.gen(function*() {
        const { policy, set } = yield* setOf(name)
        const { mount } = yield* Privileged
        const { storage } = policy
        const listed = yield* mount({ action: "list" })
        const devices = listed.action === "list" ? listed.devices : []
        const place = `/mnt/felhom/${set}`
        const device = devices.find(({ mountpoint }) => mountpoint === place)
        const uuid = device?.uuid?.toLowerCase()
        const disk = Object.entries(policy.disks).find(([, entry]) => entry.uuid.toLowerCase() === uuid)?.[0]
        if (device === undefined || disk === undefined) {
          return yield* new DisksRefused({
            message: `no disk of the set ${set} is mounted, so there is nothing to eject`
          })
        }
        if (name !== set && name !== disk) {
          return yield* new DisksRefused({ message: `${name} is not the disk that is mounted: that is ${disk}` })
        }
        const { rows } = yield* client.storageConfig
        const isThere = rows.some((row) => row.storage === storage)
        const owners = isThere ? yield* ownersOn(storage) : new Set<number>()
        const free = Effect.flatMap(usesNow(owners), (uses) =>
          uses.length === 0 ? Effect.void : new DisksRefused({
            message: `${disk} is in use: ${uses.join("; ")}. Eject it again once that has ended`
          }))
        yield* free
        const at = yield* now
        // Written down first: what is ejected and not known to be would be mounted again.
        const before = yield* ejectedOnRecord(set, disk, at)
        // From here on nothing new begins on it; what began just before is looked for once more.
        yield* (isThere ? client.updateStorage(storage, { enabled: false }) : Effect.void).pipe(
          Effect.zipRight(free),
          Effect.zipRight(mount({ action: "eject", name: decodeName(set) })),
          Effect.tapError(() => {
            const enabled = isThere ? client.updateStorage(storage, { enabled: true }) : Effect.void
            return Effect.zipRight(
              Effect.ignoreLogged(enabled),
              Effect.ignoreLogged(records.change(() => Effect.succeed(before)))
            )
          })
        )
        yield* Ref.update(proven, (all) => new Map([...all].filter(([each]) => each !== disk)))
        yield* (yield* StateFile).record([{
          kind: "disk.ejected",
          severity: "info",
          subject: disk,
          message: `disk ${disk} of set ${set} was ejected by root on the host`
        }])
        return `${disk} is ejected and may be unplugged; the storage ${storage} is switched off until a disk of ${set} is back`
      }).pipe(one.withPermits(1), Effect.uninterruptible, refused)

    const adopt = (disk: string) =>
      Effect.gen(function*() {
        const { policy, set } = yield* setOf(disk)
        if (!Object.hasOwn(policy.disks, disk)) {
          return yield* new DisksRefused({
            message: `${disk} is a set: name the disk of it, one of ${names(policy.disks)}`
          })
        }
        yield* records.change((before) => {
          const held = Option.getOrElse(before, () => noRecords)
          const record = held.disks[disk]
          return record === undefined
            ? new DisksRefused({ message: `${disk} is not known yet; felhom-agent disks looks at what is plugged in` })
            : Effect.succeed({ ...held, disks: { ...held.disks, [disk]: { ...record, adopt: true, ejected: false } } })
        })
        return `${disk} of ${set} is taken as it is when it is mounted next, whatever its mark`
      }).pipe(refused)

    const run = Effect.forever(Effect.gen(function*() {
      const found = yield* pass.pipe(
        Effect.orElseSucceed(() => undefined),
        Effect.catchAllCause((cause) =>
          Cause.isInterruptedOnly(cause)
            ? Effect.failCause(cause)
            : Effect.as(Effect.logError("the host's disks and storages could not be looked after", cause), undefined)
        )
      )
      const pause = found !== undefined && found.kept.sets.length === 0 ? storagePauses.network : storagePauses.sets
      yield* Effect.sleep(`${pause} millis`)
    }))

    return HostStorageKeeper.of({
      section: Ref.get(told),
      sightings: Effect.gen(function*() {
        const section = yield* Ref.get(told)
        if (section?.state === "unavailable") {
          return (yield* Ref.get(lastSeen)).map(({ name, storage }): Sighting => ({
            kind: "disk-set",
            id: name,
            name,
            storages: [storage],
            state: "unknown",
            reasons: [section.reason]
          }))
        }
        if (section === undefined) return []
        const at = yield* now
        const held = Option.getOrElse(yield* Effect.orElseSucceed(records.current, Option.none), () => noRecords)
        return [
          ...section.value.sets.map((set) => setSighting(set, held.sets[set.name]?.ejectedAt ?? null, at)),
          ...section.value.network.flatMap(networkSighting)
        ]
      }),
      now: Effect.provide(refused(look), context),
      eject: (name) => Effect.provide(eject(name), context),
      adopt: (disk) => Effect.provide(adopt(disk), context),
      run: Effect.provide(run, context)
    })
  })
