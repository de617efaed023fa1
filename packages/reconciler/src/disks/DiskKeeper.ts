import type { HostPolicy } from "@felhom/authz/HostPolicy"
import type { DiskSet } from "@felhom/domain/HostStorage"
import type { HostStoragePolicy, PolicyDiskSet } from "@felhom/domain/HostStoragePolicy"
import { Crypto } from "@felhom/domain/port/Crypto"
import { now } from "@felhom/domain/Time"
import type { Hold } from "@felhom/durable/Hold"
import type { KeptDocument } from "@felhom/durable/KeptDocument"
import { type NewEvent, StateFile } from "@felhom/durable/StateFile"
import { DiskMark, FilesystemUuid, type MarkRule, type MountableDevice, MountName } from "@felhom/privileged/Mount"
import { Privileged, type PrivilegedError } from "@felhom/privileged/Privileged"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import type { NewStorage } from "@felhom/proxmox/StorageChange"
import type { StorageConfig } from "@felhom/proxmox/StorageRows"
import { Effect, Option, Ref, Schema } from "effect"
import { keepStorage } from "../storage/StorageWriting.ts"
import { type DiskRecord, type DiskRecords, freshSet, noRecords } from "./DiskRecords.ts"
import { placeOf, recordOf, type SetSight, type SetStep, sightOf, toldSet } from "./SetSight.ts"

export type KeeperNeeds = ProxmoxClient | Privileged | HostPolicy | Hold | StateFile | Crypto

/** A disk that could not be mounted is tried again after longer and longer, to an hour; unplugged and plugged in again at once. */
interface Failure {
  readonly path: string
  /** Whether it was to be taken as it is: a person's new word is tried at once. */
  readonly adopt: boolean
  readonly count: number
  readonly dueAt: number
  readonly why: string
}

export interface KeptSets {
  readonly sets: ReadonlyArray<DiskSet>
  readonly devices: ReadonlyArray<MountableDevice>
}

/** What looks after the sets of disks that the policy names. One pass at a time. */
export interface DiskKeeper {
  /**
   * Looks at what is plugged in and does what there is to do for each set. `mayNot`: why nothing may be done now; then it only looks.
   */
  readonly pass: (
    policy: HostStoragePolicy,
    configs: ReadonlyArray<StorageConfig>,
    mayNot: string | null
  ) => Effect.Effect<KeptSets, PrivilegedError, KeeperNeeds>
}

const longestWait = 3_600_000
const sixHours = 6 * 3_600_000

/** The storage over a set's place: it is a mount point, always. */
export const storageOfSet = (
  name: string,
  { content, storage }: PolicyDiskSet,
  node: NewStorage["nodes"]
): NewStorage => ({
  type: "dir",
  storage,
  content,
  path: placeOf(name),
  mountpoint: true,
  ...(node === undefined ? {} : { nodes: node })
})

const decodeName = Schema.decodeSync(MountName)
const decodeUuid = Schema.decodeSync(FilesystemUuid)

const event = (kind: NewEvent["kind"], severity: NewEvent["severity"], subject: string, message: string): NewEvent => ({
  kind,
  severity,
  subject,
  message
})

/** What is news of a set against how it was told before. */
const newsOf = (before: DiskSet | undefined, after: DiskSet): ReadonlyArray<NewEvent> => {
  const told = new Map((before?.members ?? []).map((member) => [member.name, member.state]))
  return [
    ...(after.state === before?.state || (before === undefined && after.state !== "missing")
      ? []
      : after.state === "missing"
      ? [event("disk.missing", "warning", after.name, `set ${after.name}: ${after.why ?? "no disk of it is mounted"}`)]
      : after.state === "trouble"
      ? [event("storage.trouble", "warning", after.name, `set ${after.name}: ${after.why ?? "it is in trouble"}`)]
      : []),
    ...after.members.flatMap(({ name, state, why }) =>
      state === told.get(name)
        ? []
        : state === "refused"
        ? [
          event(
            "disk.refused",
            "warning",
            name,
            `disk ${name} of set ${after.name} is not mounted: ${why ?? "refused"}`
          )
        ]
        : state === "due-back"
        ? [event("disk.due", "warning", name, `disk ${name} of set ${after.name} is due back`)]
        : []
    )
  ]
}

/** Over the records; `proven` and what failed are learnt again after a start. */
export const make = (
  records: KeptDocument<DiskRecords>,
  proven: Ref.Ref<ReadonlyMap<string, string>>
): Effect.Effect<DiskKeeper> =>
  Effect.gen(function*() {
    const failures = yield* Ref.make<ReadonlyMap<string, Failure>>(new Map())
    const listed = yield* Ref.make<ReadonlyArray<MountableDevice>>([])
    const toldBefore = yield* Ref.make<ReadonlyMap<string, DiskSet>>(new Map())

    const current = Effect.map(records.current, Option.getOrElse(() => noRecords))
    const changed = (next: (held: DiskRecords) => DiskRecords) =>
      records.change((held) => Effect.succeed(next(Option.getOrElse(held, () => noRecords))))

    const withDisk = (disk: string, of: (held: DiskRecord) => DiskRecord) =>
      changed((held) => {
        const before = held.disks[disk]
        return before === undefined ? held : { ...held, disks: { ...held.disks, [disk]: of(before) } }
      })
    const withSet = (set: string, of: Partial<typeof freshSet>) =>
      changed((held) => ({ ...held, sets: { ...held.sets, [set]: { ...held.sets[set] ?? freshSet, ...of } } }))

    /** Every disk of the policy has a record, with the mark that it will carry, before anything is asked for it. */
    const known = ({ disks }: HostStoragePolicy) =>
      Effect.gen(function*() {
        const crypto = yield* Crypto
        const held = yield* current
        const missing = Object.values(disks).flatMap((set) => Object.entries(set.disks)).filter(([name, disk]) =>
          recordOf(held, name, disk) === undefined
        )
        if (missing.length === 0) return held
        const knownAt = yield* now
        const fresh = yield* Effect.forEach(missing, ([name, { uuid }]) =>
          Effect.map(crypto.randomHex(16), (hex) =>
            [name, {
              uuid,
              mark: DiskMark.make(hex),
              marked: false,
              adopt: false,
              knownAt,
              mountedAt: null,
              ejected: false
            }] as const))
        return yield* changed((before) => ({ ...before, disks: { ...before.disks, ...Object.fromEntries(fresh) } }))
      })

    const clear = (set: string) =>
      Effect.gen(function*() {
        const { mount } = yield* Privileged
        yield* Effect.catchIf(
          Effect.asVoid(mount({ action: "eject", name: decodeName(set) })),
          // There is no unit file of that name: a person took it away.
          ({ reason }) => reason === "refused",
          () => Effect.void
        )
        yield* withSet(set, { unitOf: null })
      })

    const ruleFor = ({ adopt, mark, marked }: DiskRecord): MarkRule => ({
      mark,
      rule: adopt ? "any" : marked ? "same" : "fresh"
    })

    const mountDisk = (set: string, step: Extract<SetStep, { readonly step: "mount" }>, record: DiskRecord) =>
      Effect.gen(function*() {
        const { mount } = yield* Privileged
        // Known before it is asked for: whatever comes of it, the unit file there may be this disk's.
        yield* withSet(set, { unitOf: step.disk })
        const done = yield* mount({
          action: "mount",
          uuid: decodeUuid(step.uuid),
          name: decodeName(set),
          marked: ruleFor(record)
        })
        const mark = done.action === "mount" ? done.mark ?? record.mark : record.mark
        const mountedAt = yield* now
        yield* withDisk(step.disk, (held) => ({ ...held, mark, marked: true, adopt: false, mountedAt }))
        yield* withSet(set, { ejectedAt: null })
        yield* Ref.update(proven, (all) => new Map(all).set(step.disk, step.path))
      })

    const perform = (set: string, policy: PolicyDiskSet, step: SetStep) =>
      Effect.gen(function*() {
        if (step.step === "none") return null
        if (step.step === "clear") return yield* Effect.as(clear(set), null)
        const at = yield* now
        const disk = policy.disks[step.disk]
        const record = disk === undefined ? undefined : recordOf(yield* current, step.disk, disk)
        if (record === undefined) return null
        const last = (yield* Ref.get(failures)).get(step.disk)
        const failure = last?.path === step.path && last.adopt === record.adopt ? last : undefined
        if (failure !== undefined && at < failure.dueAt) return failure.why
        const tried = yield* Effect.either(mountDisk(set, step, record))
        if (tried._tag === "Right") {
          yield* Ref.update(failures, (all) => new Map([...all].filter(([name]) => name !== step.disk)))
          const before = (yield* Ref.get(toldBefore)).get(set)
          yield* (yield* StateFile).record(
            // After a start of the agent it is only looked at again.
            record.mountedAt === null || (before !== undefined && before.state !== "ready")
              ? [
                event(
                  "disk.mounted",
                  "info",
                  step.disk,
                  `disk ${step.disk} of set ${set} is mounted at ${placeOf(set)}`
                )
              ]
              : []
          )
          return null
        }
        const count = (failure?.count ?? 0) + 1
        const dueAt = at + Math.min(longestWait, 60_000 * 2 ** (count - 1))
        const why = `disk ${step.disk}: ${
          tried.left._tag === "PrivilegedError" ? tried.left.detail : tried.left.message
        }`
        yield* Ref.update(
          failures,
          (all) => new Map(all).set(step.disk, { path: step.path, adopt: record.adopt, count, dueAt, why })
        )
        return why
      }).pipe(Effect.catchAll((error) => Effect.succeed(error.message)))

    /** What was unplugged is no longer ejected, and has to show its mark again. */
    const forgetAbsent = (absent: ReadonlyArray<string>) =>
      Effect.gen(function*() {
        const held = yield* current
        const gone = absent.filter((name) => held.disks[name]?.ejected === true)
        if (gone.length > 0) {
          yield* changed((before) => ({
            ...before,
            disks: Object.fromEntries(
              Object.entries(before.disks).map((
                [name, disk]
              ) => [name, gone.includes(name) ? { ...disk, ejected: false } : disk])
            )
          }))
        }
        yield* Ref.update(proven, (all) => new Map([...all].filter(([name]) => !absent.includes(name))))
        yield* Ref.update(failures, (all) => new Map([...all].filter(([name]) => !absent.includes(name))))
      })

    /** How long a disk has been away counts from when it was last there. */
    const stillThere = (disk: string | null) =>
      Effect.gen(function*() {
        const at = yield* now
        const mountedAt = disk === null ? null : (yield* current).disks[disk]?.mountedAt ?? null
        if (disk === null || mountedAt === null || at - mountedAt < sixHours) return
        yield* withDisk(disk, (held) => ({ ...held, mountedAt: at }))
      })

    const storageTrouble = (
      set: string,
      policy: PolicyDiskSet,
      sight: SetSight,
      configs: ReadonlyArray<StorageConfig>,
      mayNot: string | null
    ) =>
      Effect.gen(function*() {
        const { node } = yield* ProxmoxClient
        const ejected = (yield* current).sets[set]?.ejectedAt ?? null
        const { events, why } = yield* keepStorage(storageOfSet(set, policy, [node]), configs, {
          enabled: sight.mounted !== null || ejected === null,
          newSecret: false,
          // Proxmox VE tries it at once, and takes none whose mount point is empty (platform-facts 1.6).
          create: sight.mounted !== null,
          mayNot
        })
        yield* (yield* StateFile).record(events)
        return why
      })

    const list = Effect.gen(function*() {
      const answer = yield* (yield* Privileged).mount({ action: "list" })
      const devices = answer.action === "list" ? answer.devices : []
      yield* Ref.set(listed, devices)
      return devices
    })

    const look = (set: string, policy: PolicyDiskSet, devices: ReadonlyArray<MountableDevice>) =>
      Effect.gen(function*() {
        return sightOf({ name: set, policy, records: yield* current }, devices, yield* Ref.get(proven), yield* now)
      })

    /** Where another disk's place was cleared, what is to be mounted there is so at once. */
    const performAll = (set: string, policy: PolicyDiskSet, step: SetStep) =>
      Effect.gen(function*() {
        const failed = yield* perform(set, policy, step)
        if (failed !== null || step.step !== "clear") return failed
        const { next } = yield* Effect.flatMap(list, (now) => look(set, policy, now))
        return next.step === "mount" ? yield* perform(set, policy, next) : null
      })

    const keepSet = (
      set: string,
      policy: PolicyDiskSet,
      first: ReadonlyArray<MountableDevice>,
      configs: ReadonlyArray<StorageConfig>,
      mayNot: string | null
    ) =>
      Effect.gen(function*() {
        const before = yield* look(set, policy, first)
        yield* forgetAbsent(before.absent)
        const nothingDone = before.next.step === "none"
        const failed = nothingDone
          ? null
          : mayNot === null
          ? yield* performAll(set, policy, before.next)
          : `it is left as it is: ${mayNot}`
        const after = nothingDone ? before : yield* Effect.flatMap(list, (now) => look(set, policy, now))
        yield* stillThere(after.mounted)
        const trouble = failed ?? (yield* storageTrouble(set, policy, after, configs, mayNot))
        return toldSet({ name: set, policy, records: yield* current }, after, trouble)
      }).pipe(
        Effect.catchTag(
          "KeptDocumentError",
          (error): Effect.Effect<DiskSet> =>
            Effect.succeed({ name: set, storage: policy.storage, state: "trouble", why: error.message, members: [] })
        )
      )

    return {
      pass: (policy, configs, mayNot) =>
        Effect.gen(function*() {
          const devices = yield* list
          const trouble = yield* Effect.match(known(policy), {
            onFailure: ({ message }) => message,
            onSuccess: () => null
          })
          const sets = yield* Effect.forEach(Object.entries(policy.disks), ([name, set]) =>
            trouble === null
              ? keepSet(name, set, devices, configs, mayNot)
              : Effect.succeed<DiskSet>({ name, storage: set.storage, state: "trouble", why: trouble, members: [] }))
          const before = yield* Ref.getAndSet(toldBefore, new Map(sets.map((set) => [set.name, set])))
          yield* (yield* StateFile).record(sets.flatMap((set) => newsOf(before.get(set.name), set)))
          return { sets, devices: yield* Ref.get(listed) }
        })
    }
  })
