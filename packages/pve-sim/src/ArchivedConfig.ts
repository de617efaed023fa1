import { driveOption, formatOf } from "./DriveText.ts"
import { copyConfig, type Guest, isRawKey, volumesOf } from "./Guest.ts"
import { emptySection, renderGuestFile } from "./GuestFile.ts"

/** What a machine's archive says of each disk in it, beside the configuration: on which storage it was, and how (qemu-server). */
const diskHints = (guest: Guest): string =>
  guest.type === "lxc" ? "" : volumesOf(guest, guest.file.current)
    .filter(({ text }) => driveOption(text, "backup") !== "0")
    .map(({ key, source }) =>
      `#qmdump#map:${key}:drive-${key}:${source.slice(0, Math.max(0, source.indexOf(":")))}:${formatOf(source)}:\n`
    ).join("")

/** Archives hold the configuration in force, without lock, parent, snapshots and pending changes (platform-facts 6.5). */
export const archivedConfig = (guest: Guest): string => {
  const current = copyConfig(guest.file.current, emptySection())
  current.values.delete("parent")
  current.description = guest.file.current.description
  const raw = Array.from(current.values).filter(([key]) => isRawKey(guest.type, key))
  for (const [key] of raw) current.values.delete(key)
  return renderGuestFile({ current, pending: new Map(), snapshots: new Map() }) +
    raw.map(([key, value]) => `${key}: ${value}\n`).join("") + diskHints(guest)
}
