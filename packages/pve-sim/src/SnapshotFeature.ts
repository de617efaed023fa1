import { type Guest, volumesOf } from "./Guest.ts"
import type { Machine } from "./Machine.ts"

/** Whether every volume can be snapshotted where it lies (platform-facts 5.11). */
export const canSnapshot = (machine: Machine, guest: Guest): boolean =>
  volumesOf(guest, guest.file.current).every(({ source }) => {
    // A bind or device mount has no storage.
    if (source.startsWith("/")) return false
    const storage = source.slice(0, source.indexOf(":"))
    const type = machine.world.storages.find((one) => one.storage === storage)?.type
    if (type === "btrfs" || type === "zfspool" || type === "lvmthin" || type === "rbd") return true
    return guest.type === "qemu" && source.endsWith(".qcow2")
  })
