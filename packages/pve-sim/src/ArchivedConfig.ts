import { copyConfig, type Guest, isRawKey } from "./Guest.ts"
import { emptySection, renderGuestFile } from "./GuestFile.ts"

/** Archives hold the configuration in force, without lock, parent, snapshots and pending changes (platform-facts 6.5). */
export const archivedConfig = (guest: Guest): string => {
  const current = copyConfig(guest.file.current, emptySection())
  current.values.delete("parent")
  current.description = guest.file.current.description
  const raw = Array.from(current.values).filter(([key]) => isRawKey(guest.type, key))
  for (const [key] of raw) current.values.delete(key)
  return renderGuestFile({ current, pending: new Map(), snapshots: new Map() }) +
    raw.map(([key, value]) => `${key}: ${value}\n`).join("")
}
