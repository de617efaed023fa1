import { parsePropertyString, propertyOf } from "@felhom/domain/PropertyString"
import { Either, Schema } from "effect"
import { bytesOf, type Guest, volumesOf } from "./Guest.ts"
import type { World } from "./World.ts"

/** What is in a guest's archive. */
export interface Archive {
  /** The configuration as `extractconfig` gives it; undefined when the archive has none that can be read. */
  readonly config: string | undefined
  /** Bytes once unpacked. */
  readonly bytes: number
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
  protected: Schema.optional(Schema.Number)
})

const decodeVolumes = Schema.decodeUnknownEither(Schema.Array(WorldVolume))

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
      Either.isLeft(listed) ? [] : listed.right.map((row) => ({
        ...row,
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
