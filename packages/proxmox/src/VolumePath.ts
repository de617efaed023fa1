import type { NodeName, Volid } from "@felhom/domain/ProxmoxId"

/** Where one volume is found. The whole volume id is one segment, its colon and slashes encoded (platform-facts 1.5). */
export const volumePath = (node: readonly ["nodes", NodeName], volid: Volid): ReadonlyArray<string> => [
  ...node,
  "storage",
  volid.slice(0, volid.indexOf(":")),
  "content",
  volid
]

/** Whether the volume id is that of an archive, on a directory storage or on a backup server (platform-facts 1.5.2). */
export const isBackup = (volid: Volid): boolean => volid.slice(volid.indexOf(":") + 1).startsWith("backup/")
