import { Effect } from "effect"
import { cloudInitBytes, driveOption, isCloudInit } from "./DriveText.ts"
import { bytesOf } from "./Guest.ts"
import { type GuestSection, parseGuestFile } from "./GuestFile.ts"
import { type Machine, randomUuid } from "./Machine.ts"
import { isDrive } from "./QemuSchema.ts"
import { driveOn, printedCard, withFreshUuid } from "./QemuValues.ts"

/** A disk that an archive holds, or a cloud-init drive that is made anew beside it. */
export interface ArchivedDisk {
  readonly key: string
  readonly storage: string
  readonly format: string
  readonly bytes: number
  readonly cloudInit: boolean
}

const hintForm = /^#qmdump#map:(\S+):(\S+):(\S*):(\S*):$/

/** The disks by the hints that vzdump left (qemu-server, parse_backup_hints); `storage` takes all of them, where it is asked for. */
export const archivedDisks = (config: string, storage: string | undefined): ReadonlyArray<ArchivedDisk> => {
  const { values } = parseGuestFile(config).current
  return config.split("\n").flatMap((line): ReadonlyArray<ArchivedDisk> => {
    const [, key, , from = "", hint = ""] = hintForm.exec(line) ?? []
    if (key !== undefined) {
      const bytes = bytesOf(driveOption(values.get(key) ?? "", "size"))
      return [{
        key,
        storage: storage ?? (from === "" ? "local" : from),
        format: hint === "" ? "raw" : hint,
        bytes,
        cloudInit: false
      }]
    }
    const [, drive, text] = /^((?:ide|sata|scsi)\d+):\s*(.*?)\s*$/.exec(line) ?? []
    if (drive === undefined || text === undefined || !isCloudInit(text)) return []
    const format = /-cloudinit\.(\w+)/.exec(text)?.[1] ?? "raw"
    const own = text.slice(0, Math.max(0, text.indexOf(":")))
    return [{ key: drive, storage: storage ?? own, format, bytes: cloudInitBytes, cloudInit: true }]
  }).toSorted((one, other) => (one.key < other.key ? -1 : 1))
}

/** Lines that stay in the archive; a drive that is left out of backups becomes a comment (qemu-server, restore_update_config_line). */
const kept = (line: string): ReadonlyArray<string> => {
  if (/^(?:#(?:qmdump|vzdump)#|lock:|unused\d+:|parent:)/.test(line)) return []
  const [, key = "", text = ""] = /^([a-z]+\d+):\s*(\S+)\s*$/.exec(line) ?? []
  return isDrive(key) && driveOption(text, "backup") === "0" ? [`#${line}`] : [line]
}

/**
 * The configuration that a restore makes of an archived one: its drives on their new volumes, with `unique` new addresses and
 * another SMBIOS uuid, and always another generation of the machine.
 */
export const restoredConfig = (
  machine: Machine,
  config: string,
  volids: ReadonlyMap<string, string>,
  unique: boolean
): Effect.Effect<GuestSection> =>
  Effect.gen(function*() {
    const { current } = parseGuestFile(config.split("\n").flatMap(kept).join("\n"))
    for (const [key, text] of current.values) {
      const volid = volids.get(key)
      if (volid !== undefined) {
        const size = driveOption(text, "size")
        current.values.set(key, driveOn(text, volid, size === undefined ? undefined : bytesOf(size)))
      } else if (unique && /^net\d+$/.test(key)) current.values.set(key, yield* printedCard(machine, text, true))
      else if (unique && key === "smbios1") current.values.set(key, yield* withFreshUuid(text))
      else if (key === "vmgenid" && text !== "0") current.values.set(key, yield* randomUuid)
    }
    return current
  })
