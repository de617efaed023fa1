import { Schema } from "effect"
import { GoldenName } from "./GoldenManifest.ts"
import { StorageId, Vmid, Volid } from "./ProxmoxId.ts"

const orElse = <A>(value: A) => ({ default: () => value })
const Percent = Schema.Int.pipe(Schema.between(0, 100))

/**
 * What differs, by the kind of correction that it takes: a guest that is to be there and is not (`guests`), and one that nobody
 * wished for (`unnamed`), which is told of at most.
 */
export const DriftKind = Schema.Literal("power", "settings", "network", "volumes", "guests", "unnamed")
export type DriftKind = typeof DriftKind.Type

/** `fix`: it is put right. `report`: it is told. `never`: it is not looked at. */
export const Correction = Schema.Literal("fix", "report", "never")
export type Correction = typeof Correction.Type

const corrections = {
  power: "fix",
  settings: "fix",
  network: "fix",
  volumes: "fix",
  guests: "fix",
  unnamed: "never"
} as const
const correction = (kind: keyof typeof corrections) =>
  Schema.optionalWith(Correction, orElse<Correction>(corrections[kind]))

/** Per cent that stay free of a storage and, on thin pools, of what they keep their books in. */
const Floor = Schema.Struct({ free: Percent, metadataFree: Percent })
export type Floor = typeof Floor.Type

const usualFloor: Floor = { free: 10, metadataFree: 20 }

// Not by DateTime, which takes longer to load than all that else reads a policy.
const isZone = (zone: string): boolean => {
  // What holds where nothing is said. The first of Intl's formats takes 9 MB and some 25 ms for the rest of the process's life.
  if (zone === "UTC") return true
  // Older versions of Node know no zone by its distance, and GMT with one counts the other way round.
  if (/^(?:GMT|[+-])/.test(zone)) return /^[+-](?:[01]\d|2[0-3]):[0-5]\d$/.test(zone)
  try {
    return new Intl.DateTimeFormat("en", { timeZone: zone }).resolvedOptions().timeZone !== ""
  } catch {
    return false
  }
}

const Zone = Schema.String.pipe(
  Schema.filter((zone) => isZone(zone) ? undefined : `${zone} is no time zone such as Europe/Budapest`)
)

/** When guests may be disturbed. */
export const MaintenanceWindow = Schema.Struct({
  /** 0: Sunday. None: every day. */
  weekdays: Schema.optionalWith(
    Schema.Array(Schema.Int.pipe(Schema.between(0, 6))),
    orElse<ReadonlyArray<number>>([])
  ),
  /** `HH:MM` in the policy's time zone. */
  from: Schema.String.pipe(Schema.pattern(/^(?:[01]\d|2[0-3]):[0-5]\d$/, { message: () => "from is such as 02:30" })),
  minutes: Schema.Int.pipe(Schema.between(1, 24 * 60))
})
export type MaintenanceWindow = typeof MaintenanceWindow.Type

/**
 * How far a host goes for a desired state (protocol 3). Closed: a key that this version does not know refuses it, since nobody
 * knows what it was to forbid.
 */
export const DesiredPolicy = Schema.Struct({
  correction: Schema.optionalWith(
    Schema.Struct({
      power: correction("power"),
      settings: correction("settings"),
      network: correction("network"),
      volumes: correction("volumes"),
      guests: correction("guests"),
      unnamed: correction("unnamed")
    }),
    orElse<{ readonly [kind in DriftKind]: Correction }>(corrections)
  ),
  /** Bridges that a card may be put on; the one that it is on already needs no leave. */
  bridges: Schema.optionalWith(Schema.Array(Schema.String), orElse<ReadonlyArray<string>>([])),
  /** Storages that a new guest may be put on. */
  storages: Schema.optionalWith(Schema.Array(StorageId), orElse<ReadonlyArray<StorageId>>([])),
  /** What new guests are made from: archives on this host, by the name that a desired state calls them. */
  images: Schema.optionalWith(
    Schema.Record({ key: Schema.String, value: Volid }),
    orElse<{ readonly [name: string]: Volid }>({})
  ),
  /**
   * Images that are known by a manifest which operators signed, and by nothing else: a name here is never one of `images`. `unread`:
   * also where the bytes of the archive can't be read and compared.
   */
  golden: Schema.optionalWith(
    Schema.Struct({
      images: Schema.optionalWith(Schema.Array(GoldenName), orElse<ReadonlyArray<GoldenName>>([])),
      unread: Schema.optionalWith(Schema.Boolean, orElse(false))
    }),
    orElse<{ readonly images: ReadonlyArray<GoldenName>; readonly unread: boolean }>({ images: [], unread: false })
  ),
  /** Numbers for drills and restores, which a desired state can't name; both are among them. */
  scratch: Schema.optionalWith(
    Schema.NullOr(Schema.Struct({ from: Vmid, to: Vmid })),
    orElse<{ readonly from: Vmid; readonly to: Vmid } | null>(null)
  ),
  floors: Schema.optionalWith(
    Schema.Struct({
      usual: Schema.optionalWith(Floor, orElse(usualFloor)),
      storages: Schema.optionalWith(
        Schema.Record({ key: Schema.String, value: Floor }),
        orElse<{ readonly [storage: string]: Floor }>({})
      )
    }),
    orElse<{ readonly usual: Floor; readonly storages: { readonly [storage: string]: Floor } }>({
      usual: usualFloor,
      storages: {}
    })
  ),
  /** Within any 24 hours. */
  caps: Schema.optionalWith(
    Schema.Struct({ creations: Schema.NonNegativeInt, grownGib: Schema.NonNegativeInt }),
    orElse({ creations: 2, grownGib: 100 })
  ),
  /** How many guests are stopped, started or changed within so many minutes. */
  blastRadius: Schema.optionalWith(
    Schema.Struct({
      guests: Schema.NonNegativeInt,
      minutes: Schema.Int.pipe(Schema.between(1, 7 * 24 * 60))
    }),
    orElse({ guests: 5, minutes: 60 })
  ),
  timeZone: Schema.optionalWith(Zone, orElse("UTC")),
  /** None: at any time. */
  maintenance: Schema.optionalWith(Schema.Array(MaintenanceWindow), orElse<ReadonlyArray<MaintenanceWindow>>([]))
})
export type DesiredPolicy = typeof DesiredPolicy.Type

/** What holds where root wrote none. */
export const usualDesiredPolicy: DesiredPolicy = Schema.decodeSync(DesiredPolicy)({})
