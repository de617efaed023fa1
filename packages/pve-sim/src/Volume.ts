import { parsePropertyString, propertyOf } from "@felhom/domain/PropertyString"
import { Either, Schema } from "effect"
import { archivedConfig } from "./ArchivedConfig.ts"
import { bytesOf, type Guest, volumesOf } from "./Guest.ts"
import type { World } from "./World.ts"

/** What is in a guest's archive. */
export interface Archive {
  /** The configuration as `extractconfig` gives it; undefined when the archive has none that can be read. */
  readonly config: string | undefined
  /** Bytes once unpacked. */
  readonly bytes: number
  /** The options of the guest's firewall, if it had any. */
  readonly firewall?: ReadonlyMap<string, string> | undefined
  /** Breaks off, so that unpacking fails at the end. */
  readonly truncated: boolean
}

/** One volume on a storage (platform-facts 1.5.2). */
export interface Volume {
  readonly volid: string
  readonly content: string
  readonly format: string
  /** Bytes. */
  readonly size: number
  /** Seconds since the epoch. */
  readonly ctime: number
  readonly vmid: number | undefined
  readonly subtype: string | undefined
  /** Of a backup. */
  readonly archive?: Archive
  /** Of a template whose container powers itself off so long after its first start. */
  readonly firstBootSeconds?: number | undefined
  notes: string | undefined
  protected: boolean
}

const WorldVolume = Schema.Struct({
  volid: Schema.String,
  content: Schema.String,
  format: Schema.String,
  size: Schema.Number,
  ctime: Schema.Number,
  vmid: Schema.optional(Schema.Int),
  subtype: Schema.optional(Schema.String),
  notes: Schema.optional(Schema.String),
  protected: Schema.optional(Schema.Number),
  /** Of a backup: the configuration in it, as `extractconfig` gives it. */
  archive_config: Schema.optional(Schema.String),
  /** Of a template: a container of it powers itself off so many seconds after its first start. */
  first_boot_seconds: Schema.optional(Schema.Number)
})

const decodeVolumes = Schema.decodeUnknownEither(Schema.Array(WorldVolume))

/** What is in an archive that was there before: nobody told, so it holds its guest as that is now. */
const archiveOf = (
  row: typeof WorldVolume.Type,
  guests: ReadonlyMap<number, Guest>
): { readonly archive?: Archive } => {
  const guest = guests.get(row.vmid ?? 0)
  const config = row.archive_config ?? (guest === undefined ? undefined : archivedConfig(guest))
  return row.content === "backup" && config !== undefined
    ? { archive: { config, bytes: guest?.bytes ?? row.size, truncated: false } }
    : {}
}

/**
 * What the world lists, and the guests' own volumes besides: an ordinary token does not see those, so a world that was taken
 * through one does not list them.
 */
export const loadContent = (world: World, guests: ReadonlyMap<number, Guest>): Map<string, Array<Volume>> => {
  const content = new Map<string, Array<Volume>>()
  for (const { storage } of world.storages) {
    // `note` and other keys stand beside the storages in a world.
    const listed = decodeVolumes(world.storage_content[storage] ?? [])
    content.set(
      storage,
      Either.isLeft(listed) ? [] : listed.right.map(({ archive_config, first_boot_seconds, ...row }) => ({
        ...row,
        firstBootSeconds: first_boot_seconds,
        ...archiveOf({ ...row, archive_config }, guests),
        vmid: row.vmid,
        subtype: row.subtype,
        notes: row.notes,
        protected: row.protected === 1
      }))
    )
  }
  for (const guest of guests.values()) {
    for (const { source, text } of volumesOf(guest, guest.file.current)) {
      const volumes = content.get(source.slice(0, source.indexOf(":")))
      if (volumes === undefined || volumes.some((volume) => volume.volid === source)) continue
      volumes.push({
        volid: source,
        content: guest.type === "lxc" ? "rootdir" : "images",
        format: /\.([a-z0-9]+)$/.exec(source)?.[1] ?? "raw",
        size: bytesOf(propertyOf(parsePropertyString(text), "size")),
        ctime: world.taken_at_unix.time,
        vmid: guest.vmid,
        subtype: undefined,
        notes: undefined,
        protected: false
      })
    }
  }
  return content
}
