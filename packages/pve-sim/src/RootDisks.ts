import { Context, Effect, Layer, Ref, Schema } from "effect"
import { PveSim } from "./PveSim.ts"
import { refusedLine } from "./RootLine.ts"

/** A disk that somebody plugs into the simulated host: one partition with a file system, or none. */
export const SimDisk = Schema.Struct({
  /** `/dev/sdb` */
  path: Schema.String.pipe(Schema.pattern(/^\/dev\/sd[b-z]$/)),
  serial: Schema.NonEmptyString,
  /** Of the file system on its one partition; null: it has none. */
  uuid: Schema.NullOr(Schema.NonEmptyString),
  fstype: Schema.optionalWith(Schema.NullOr(Schema.String), { default: () => "ext4" as string | null }),
  label: Schema.optionalWith(Schema.NullOr(Schema.String), { default: () => null }),
  size: Schema.optionalWith(Schema.Int, { default: () => 1_000_204_886_016 }),
  /** What its attributes 5, 197 and 198 count. */
  bad: Schema.optionalWith(
    Schema.Struct({ reallocated: Schema.Int, pending: Schema.Int, uncorrectable: Schema.Int }),
    { default: () => ({ reallocated: 0, pending: 0, uncorrectable: 0 }) }
  ),
  /** Its own verdict; null: it does not answer at all. */
  passed: Schema.optionalWith(Schema.NullOr(Schema.Boolean), { default: () => true as boolean | null }),
  celsius: Schema.optionalWith(Schema.Number, { default: () => 34 })
})
export type SimDisk = typeof SimDisk.Type

interface Plugged extends SimDisk {
  /** Where its partition is mounted. */
  readonly at: string | null
}

/**
 * The simulated host's USB ports, and what its root helpers for disks answer. What stands on a disk stays on it while it is somewhere
 * else: its mark is kept by its serial and its UUID.
 */
export class RootDisks extends Context.Tag("felhom/pve-sim/RootDisks")<RootDisks, {
  /** One line of request to one line of answer, as the helper behind the socket. */
  readonly smart: (line: string) => Effect.Effect<string>
  readonly mount: (line: string) => Effect.Effect<string>
  /** One that is plugged in at that path is pulled out before. */
  readonly plug: (disk: SimDisk) => Effect.Effect<void>
  /** Whatever is being written to it. */
  readonly pull: (path: string) => Effect.Effect<void>
}>() {}

// As the helpers on a host read it; written down here anew, so that the agent's side is held against something else than itself.
const MountRequest = Schema.Union(
  Schema.Struct({ action: Schema.Literal("list") }),
  Schema.Struct({
    action: Schema.Literal("mount"),
    uuid: Schema.String,
    name: Schema.String.pipe(Schema.pattern(/^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/)),
    marked: Schema.optional(Schema.Struct({
      rule: Schema.Literal("same", "fresh", "any"),
      mark: Schema.String.pipe(Schema.pattern(/^[0-9a-f]{32}$/))
    }))
  }),
  Schema.Struct({ action: Schema.Literal("eject"), name: Schema.String })
)
const SmartRequest = Schema.Union(
  Schema.Struct({ action: Schema.Literal("smart"), device: Schema.String }),
  Schema.Struct({ action: Schema.Literal("sensors") })
)

const strict = { onExcessProperty: "error" } as const
const decodeMount = Schema.decodeUnknown(Schema.parseJson(MountRequest), strict)
const decodeSmart = Schema.decodeUnknown(Schema.parseJson(SmartRequest), strict)

const ok = (result: object): string => JSON.stringify({ ok: true, result })
const refuse = (detail: string): string => refusedLine("mount", "refused", detail)

const without = (all: ReadonlyMap<string, string>, name: string): ReadonlyMap<string, string> =>
  new Map([...all].filter(([each]) => each !== name))

const nameOf = ({ serial, uuid }: SimDisk): string => `${serial} ${uuid ?? ""}`
const partOf = ({ path }: SimDisk): string => `${path}1`

const rows = (disk: Plugged, all: ReadonlyArray<Plugged>): ReadonlyArray<object> => {
  const same = all.filter(({ uuid }) => uuid !== null && uuid === disk.uuid).map(partOf)
  const whole = {
    path: disk.path,
    uuid: null,
    fstype: null,
    label: null,
    size: disk.size,
    tran: "usb",
    serial: disk.serial,
    mountpoint: null,
    refusal: `${disk.path} has partitions: name one of those`
  }
  const refusal = disk.at !== null
    ? `${partOf(disk)} is mounted already, at ${disk.at}: eject it there first`
    : disk.fstype === null
    ? `${partOf(disk)} has no file system; nothing is ever formatted from here: a person makes one`
    : disk.uuid === null
    ? `${partOf(disk)} has no UUID that it could be named by`
    : same.length > 1
    ? `${same.join(" and ")} have one UUID (${disk.uuid}), as a copied disk has: unplug one, or give it another UUID`
    : null
  const { fstype, label, size, uuid } = disk
  return [
    { path: partOf(disk), uuid, fstype, label, size, tran: null, serial: null, mountpoint: disk.at, refusal },
    whole
  ]
}

const countersOf = ({ bad }: SimDisk) => ({
  reallocated: bad.reallocated,
  pending: bad.pending,
  uncorrectable: bad.uncorrectable,
  reported: 0,
  timeouts: 0,
  media: null
})

const smartOf = (disk: SimDisk): object =>
  disk.passed === null ? { action: "smart", device: disk.path, state: "silent", seconds: 10 } : {
    action: "smart",
    device: disk.path,
    state: "read",
    passed: disk.passed,
    celsius: disk.celsius,
    warnings: [],
    reading: {
      serial: disk.serial,
      model: "felhom simulated disk",
      exit: disk.passed ? 0 : 8,
      rotates: true,
      counters: countersOf(disk),
      criticalWarning: null,
      spare: null,
      spareThreshold: null,
      used: null,
      hours: 10_000,
      celsiusWarning: null,
      celsiusCritical: 60
    }
  }

/** Ports of a host on which nothing is plugged in at first. */
export const make: Effect.Effect<typeof RootDisks.Service, never, PveSim> = Effect.gen(function*() {
  const sim = yield* PveSim
  const plugged = yield* Ref.make<ReadonlyArray<Plugged>>([])
  const marks = yield* Ref.make<ReadonlyMap<string, string>>(new Map())
  // Unit files: the disk of each place by its UUID. They stay when a disk is pulled out, and mount it again by themselves.
  const units = yield* Ref.make<ReadonlyMap<string, string>>(new Map())

  const mounted = (path: string, is: boolean): Effect.Effect<void> =>
    Effect.ignore(sim.change({ _tag: "storage.mounted", path, mounted: is }))
  const setPlace = (path: string, at: string | null) =>
    Ref.update(plugged, (all) => all.map((disk) => (disk.path === path ? { ...disk, at } : disk)))

  const pull = (path: string): Effect.Effect<void> =>
    Effect.gen(function*() {
      const disk = (yield* Ref.get(plugged)).find((one) => one.path === path)
      if (disk?.at != null) yield* mounted(disk.at, false)
      yield* Ref.update(plugged, (all) => all.filter((one) => one.path !== path))
      yield* sim.change({ _tag: "disk.unplugged", devpath: path })
    }).pipe(Effect.ignore)

  const mount = (uuid: string, name: string, rule: "same" | "fresh" | "any" | undefined, mark: string | undefined) =>
    Effect.gen(function*() {
      const all = yield* Ref.get(plugged)
      const at = `/mnt/felhom/${name}`
      const unit = (yield* Ref.get(units)).get(name)
      if (unit !== undefined && unit !== uuid) {
        return refuse(`${name} is the name of the disk ${unit}: eject that first, or take another name`)
      }
      const found = all.filter((disk) => disk.uuid === uuid)
      const [disk] = found
      if (disk === undefined) return refuse(`no disk with the UUID ${uuid} is plugged in; list shows which are`)
      const other = all.find((one) => one.at === at && one !== disk)
      if (other !== undefined) return refuse(`${at} is taken: ${partOf(other)} is mounted there`)
      if (disk.at !== at) {
        const refusal = rows(disk, all)[0]
        const why = refusal !== undefined && "refusal" in refusal ? refusal.refusal : null
        if (typeof why === "string") return refuse(why)
      }
      const inPlace = Effect.all([
        setPlace(disk.path, at),
        mounted(at, true),
        Ref.update(units, (all) => new Map(all).set(name, uuid))
      ])
      if (rule === undefined || mark === undefined) {
        yield* inPlace
        return ok({ action: "mount", mountPoint: at })
      }
      const on = (yield* Ref.get(marks)).get(nameOf(disk))
      if ((on === undefined && rule === "same") || (on !== undefined && on !== mark && rule !== "any")) {
        if (disk.at === at) yield* Effect.zipRight(setPlace(disk.path, null), mounted(at, false))
        yield* Ref.update(units, (all) => without(all, name))
        return refuse(
          `${at}/.felhom-disk: the disk has the right UUID and ${on === undefined ? "not our" : "another"} mark`
        )
      }
      yield* Ref.update(marks, (all) => new Map(all).set(nameOf(disk), on ?? mark))
      yield* inPlace
      return ok({ action: "mount", mountPoint: at, mark: on ?? mark })
    })

  const eject = (name: string) =>
    Effect.gen(function*() {
      const at = `/mnt/felhom/${name}`
      const disk = (yield* Ref.get(plugged)).find((one) => one.at === at)
      if (!(yield* Ref.get(units)).has(name)) return refuse(`no disk is mounted under the name ${name}`)
      if (disk !== undefined) yield* Effect.zipRight(setPlace(disk.path, null), mounted(at, false))
      yield* Ref.update(units, (all) => without(all, name))
      return ok({ action: "eject", mountPoint: at })
    })

  return RootDisks.of({
    plug: (disk) =>
      Effect.gen(function*() {
        yield* pull(disk.path)
        const [unit] = [...yield* Ref.get(units)].find(([, uuid]) => uuid === disk.uuid) ?? []
        const at = unit === undefined ? null : `/mnt/felhom/${unit}`
        const isFree = !(yield* Ref.get(plugged)).some((one) => one.at === at)
        yield* Ref.update(plugged, (all) => [...all, { ...disk, at: isFree ? at : null }])
        if (at !== null && isFree) yield* mounted(at, true)
        yield* Effect.ignore(sim.change({
          _tag: "disk.plugged",
          devpath: disk.path,
          serial: disk.serial,
          size: disk.size,
          health: disk.passed === null ? "UNKNOWN" : disk.passed ? "PASSED" : "FAILED!"
        }))
      }),
    pull,
    smart: (line) =>
      decodeSmart(line).pipe(
        Effect.flatMap((request) =>
          Effect.map(Ref.get(plugged), (all) => {
            if (request.action === "sensors") return ok({ action: "sensors", temperatures: [] })
            const disk = all.find(({ path }) => path === request.device)
            return disk === undefined
              ? ok({
                action: "smart",
                device: request.device,
                state: "skipped",
                why: "a virtual disk (virtio) has no SMART; ask the host that it is stored on"
              })
              : ok(smartOf(disk))
          })
        ),
        Effect.catchAll(({ message }) => Effect.succeed(refusedLine("smart", "invalid", message)))
      ),
    mount: (line) =>
      decodeMount(line).pipe(
        Effect.flatMap((request) => {
          if (request.action === "list") {
            return Effect.map(Ref.get(plugged), (all) =>
              ok({ action: "list", devices: all.flatMap((disk) => rows(disk, all)), omitted: 0 }))
          }
          return request.action === "eject"
            ? eject(request.name)
            : mount(request.uuid, request.name, request.marked?.rule, request.marked?.mark)
        }),
        Effect.catchAll(({ message }) =>
          Effect.succeed(refusedLine("mount", "invalid", message))
        )
      )
  })
})

export const layer: Layer.Layer<RootDisks, never, PveSim> = Layer.effect(RootDisks, make).pipe(
  Layer.ensureRequirementsType<PveSim>()
)
