import { displayText } from "@felhom/domain/DisplayText"
import type { GuestConfig } from "@felhom/domain/GuestConfig"
import { parsePropertyString, propertyOf } from "@felhom/domain/PropertyString"
import { formatGuestRef } from "@felhom/domain/ProxmoxId"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import type { StorageRow } from "@felhom/proxmox/StorageRows"
import { Effect } from "effect"
import { fine, mend, worthKnowing } from "./Finding.ts"

/** Storage types whose container volumes have snapshots (platform-facts 5.11). */
const withSnapshots: ReadonlySet<string> = new Set(["zfspool", "lvmthin", "btrfs", "rbd"])

const named = (rows: ReadonlyArray<StorageRow>): string =>
  rows.map(({ storage, type }) => `${storage} (${displayText(type)})`).sort().join(", ")

/** Storages that are away, and those whose container volumes have no snapshots. */
export const storagesCheck = Effect.gen(function*() {
  const client = yield* ProxmoxClient
  const { rows } = yield* client.storages
  // Proxmox always has one, `local`, and leaves out what the token may not see (platform-facts 1.6, 3.2).
  if (rows.length === 0) {
    return [mend("storages", "not one can be seen: the token lacks Datastore.Audit, see permissions")]
  }
  const enabled = rows.filter((row) => row.enabled)
  const away = enabled.filter((row) => !row.active)
  const holding = enabled.filter((row) => row.content.includes("rootdir"))
  const without = holding.filter(({ type }) => !withSnapshots.has(type))
  return [
    away.length === 0
      ? fine("storages", `${enabled.length} enabled, all of them active`)
      : mend(
        "storages",
        `enabled but not active: ${named(away)}`,
        "mount the disk or reach the server, or disable the storage (pvesm set STORAGE --disable 1)"
      ),
    ...(without.length === 0 ? [] : [
      worthKnowing(
        "snapshots",
        `none of a container that has a volume on ${named(without)}: no storage of that type has them for containers`
      )
    ])
  ]
})

/** A container's volumes that a backup includes: the root, and mount points with `backup=1` (platform-facts 6.5). */
const includedVolumes = (config: GuestConfig): ReadonlyArray<{ readonly key: string; readonly storage: string }> =>
  Object.entries(config).flatMap(([key, value]) => {
    if (typeof value !== "string" || !/^(?:rootfs|mp\d+)$/.test(key)) return []
    const property = parsePropertyString(value)
    const volid = property.bare ?? propertyOf(property, "volume") ?? ""
    const included = key === "rootfs" || propertyOf(property, "backup") === "1"
    // A path is a bind mount or a device, which no backup includes.
    return included && !volid.startsWith("/") && volid.includes(":")
      ? [{ key, storage: volid.slice(0, volid.indexOf(":")) }]
      : []
  })

/**
 * Containers whose backup Proxmox makes in suspend mode although it was asked for a snapshot: one included volume without
 * snapshots is enough (platform-facts 5.11, 6.5).
 */
export const suspendCheck = Effect.gen(function*() {
  const client = yield* ProxmoxClient
  const containers = yield* client.guests("lxc")
  const types = new Map((yield* client.storages).rows.map(({ storage, type }) => [String(storage), type]))
  const configs = yield* Effect.forEach(
    containers.rows,
    (row) =>
      Effect.map(client.guestConfig({ type: "lxc", vmid: row.vmid }), (config) => ({
        row,
        without: includedVolumes(config).filter(({ storage }) => !withSnapshots.has(types.get(storage) ?? ""))
      })),
    { concurrency: 2 }
  )
  const falling = configs.filter(({ without }) => without.length > 0)
  if (containers.rows.length === 0) {
    return [worthKnowing("backup mode", "no container can be seen here: there is none, or the token lacks VM.Audit")]
  }
  if (falling.length === 0) {
    return [fine("backup mode", `each of ${containers.rows.length} container(s) can be backed up from a snapshot`)]
  }
  const lines = falling.map(({ row, without }) =>
    `${formatGuestRef({ type: "lxc", vmid: row.vmid })} (${displayText(row.name ?? "no name")}): ${
      without.map(({ key, storage }) => `${key} on ${displayText(storage)}`).join(", ")
    }`
  ).sort()
  return [
    worthKnowing(
      "backup mode",
      "backed up in suspend mode, which stops them for a while and takes room for a whole copy (in /var/tmp for a backup server):",
      ...lines
    )
  ]
})

/** Proxmox's own backup jobs: what they make is a foreign backup, which is not the same as none. */
export const backupJobsCheck = Effect.gen(function*() {
  const client = yield* ProxmoxClient
  const { rows } = yield* client.backupJobs
  const here = rows.filter(({ node }) => node === null || node === client.node)
  if (here.length === 0) return [fine("backup jobs", "Proxmox has none of its own for this node")]
  const lines = here.map((job) =>
    `${displayText(job.id)}: ${job.enabled ? displayText(job.schedule ?? "no schedule") : "disabled"}, ${
      job.all ? "all guests" : displayText(job.vmid ?? job.pool ?? "no guests")
    } to ${displayText(job.storage ?? "the default storage")}`
  )
  return [
    worthKnowing(
      "backup jobs",
      `${here.length} of Proxmox's own for this node. What they make counts as foreign backups, which the agent neither prunes nor takes for its own:`,
      ...lines.sort()
    )
  ]
})
