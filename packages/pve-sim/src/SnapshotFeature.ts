import { type Guest, volumesOf } from "./Guest.ts"
import type { Machine } from "./Machine.ts"
import { typeOf } from "./StorageState.ts"

/** Whether every volume can be snapshotted where it lies (platform-facts 5.11). */
export const canSnapshot = (machine: Machine, guest: Guest): boolean =>
  volumesOf(guest, guest.file.current).every(({ source }) => {
    // A bind or device mount has no storage.
    if (source.startsWith("/")) return false
    const storage = machine.storages.get(source.slice(0, source.indexOf(":")))
    const type = storage === undefined ? undefined : typeOf(storage)
    if (type === "btrfs" || type === "zfspool" || type === "lvmthin" || type === "rbd") return true
    return guest.type === "qemu" && source.endsWith(".qcow2")
  })
