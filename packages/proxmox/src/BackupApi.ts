import type { GuestRef, StorageId, Volid } from "@felhom/domain/ProxmoxId"
import { Upid } from "@felhom/domain/Upid"
import type { Mandate, MandateRefused } from "@felhom/mandate/Mandate"
import { Effect, Schema } from "effect"
import { BackupJob, PruneMark, VolumeAttributes } from "./BackupRows.ts"
import { type Caller, nothing, upidOrDone } from "./Caller.ts"
import { decodeListing, decodeObject, type Listing } from "./Listing.ts"
import type { ProxmoxError } from "./ProxmoxError.ts"
import type { Call } from "./Transport.ts"
import { isBackup, volumePath } from "./VolumePath.ts"

/** How one guest is backed up. */
export interface BackupOptions {
  readonly storage: StorageId
  /** Default `snapshot`, which falls back to `suspend` by itself where a volume has no snapshots (platform-facts 6.5). */
  readonly mode?: "snapshot" | "suspend" | "stop"
  /** Default `zstd`; Proxmox's own default packs nothing (platform-facts 7.2). A backup server does its own. */
  readonly compress?: "zstd" | "gzip" | "lzo" | "none"
  /** One line of at most 1024 characters; `\n` is a line break, `{{guestname}}`, `{{vmid}}`, `{{node}}` and `{{cluster}}` are filled in. */
  readonly notesTemplate?: string
  readonly protected?: boolean
  /** How long to wait for another backup of this node, inside the task. Default 180 (platform-facts 6.3). */
  readonly lockWaitMinutes?: number
  /** For a container on a Proxmox Backup Server. */
  readonly changeDetection?: "legacy" | "data" | "metadata"
}

/** How many to keep, by Proxmox's buckets (platform-facts 6.4). */
export interface Retention {
  readonly last?: number
  readonly hourly?: number
  readonly daily?: number
  readonly weekly?: number
  readonly monthly?: number
  readonly yearly?: number
}

/** Backups and their archives. @see platform-facts 1.4, 6 */
export interface BackupApi {
  /**
   * Backs up one guest. It never prunes: `remove=0` always, since Proxmox would prune as root by the storage's own setting. The
   * volume id is in the task's log (platform-facts 6.6). Where Proxmox answers `OK` instead of a task, the guest is on another
   * node, nothing was backed up, and the call fails with `guest-not-found`. @see platform-facts 6.1, 6.2
   */
  readonly backUp: (ref: GuestRef, options: BackupOptions) => Effect.Effect<Upid, ProxmoxError>
  /** Proxmox's own backup jobs, of the whole cluster; needs Sys.Audit on `/`. @see platform-facts 1.4 */
  readonly backupJobs: Effect.Effect<Listing<BackupJob>, ProxmoxError>
  /** @see platform-facts 1.5 */
  readonly volumeAttributes: (volid: Volid) => Effect.Effect<VolumeAttributes, ProxmoxError>
  /** Sets an archive's notes, and protects it. Taking protection away is `unprotectBackup`. @see platform-facts 1.5 */
  readonly annotateBackup: (
    archive: Volid,
    change: { readonly notes?: string; readonly protect?: true }
  ) => Effect.Effect<void, ProxmoxError>
  /** @see platform-facts 1.5 */
  readonly unprotectBackup: (archive: Volid, mandate: Mandate) => Effect.Effect<void, ProxmoxError | MandateRefused>
  /** The archived guest's configuration, as text in Proxmox's own format. @see platform-facts 1.4 */
  readonly archivedConfig: (archive: Volid) => Effect.Effect<string, ProxmoxError>
  /** What a retention would keep and remove of one guest's archives. Nothing is removed. @see platform-facts 1.5 */
  readonly pruneDryRun: (
    storage: StorageId,
    ref: GuestRef,
    keep: Retention
  ) => Effect.Effect<Listing<PruneMark>, ProxmoxError>
  /** Removes one archive for good; a protected one fails in the task. Null: it is done. @see platform-facts 1.5 */
  readonly deleteBackup: (archive: Volid, mandate: Mandate) => Effect.Effect<Upid | null, ProxmoxError | MandateRefused>
}

const jobs = decodeListing(BackupJob)
const attributes = decodeObject(VolumeAttributes)
const marks = decodeListing(PruneMark)
const text = decodeObject(Schema.String)
const started = decodeObject(Schema.Union(Schema.Literal("OK"), Upid))

const keepText = (keep: Retention): string =>
  Object.entries(keep).flatMap(([bucket, count]) => count === undefined ? [] : [`keep-${bucket}=${count}`]).join(",")

const compression = { zstd: "zstd", gzip: "gzip", lzo: "lzo", none: "0" } as const

export const makeBackupApi = ({ destroy, failure, get, node, refuse, write }: Caller): BackupApi => {
  const put = (archive: Volid, parameters: Call["parameters"] = {}): Call => ({
    method: "PUT",
    path: volumePath(node, archive),
    parameters
  })
  /** The call, if the volume is an archive: a mandate for an archive must not reach a disk. */
  const onArchive = <A, E>(call: Call, archive: Volid, send: Effect.Effect<A, E>): Effect.Effect<A, E | ProxmoxError> =>
    isBackup(archive) ? send : refuse(call, "invalid", `${archive} is no backup; nothing was sent`)

  return {
    backUp: (ref, options) => {
      const call: Call = {
        method: "POST",
        path: [...node, "vzdump"],
        parameters: {
          vmid: ref.vmid,
          storage: options.storage,
          mode: options.mode ?? "snapshot",
          compress: compression[options.compress ?? "zstd"],
          remove: false,
          "notes-template": options.notesTemplate,
          protected: options.protected,
          lockwait: options.lockWaitMinutes,
          "pbs-change-detection-mode": options.changeDetection
        }
      }
      return Effect.filterOrFail(
        write(call, started),
        (answer): answer is Upid => answer !== "OK",
        () => failure(call, "guest-not-found", "no task was started and nothing was backed up")
      )
    },
    backupJobs: get(["cluster", "backup"], jobs),
    volumeAttributes: (volid) => get(volumePath(node, volid), attributes),
    annotateBackup: (archive, { notes, protect }) => {
      const call = put(archive, { notes, protected: protect })
      return onArchive(call, archive, write(call, nothing))
    },
    unprotectBackup: (archive, mandate) => {
      const call = put(archive, { protected: false })
      return onArchive(call, archive, destroy(call, mandate, { op: "backup.unprotect", volid: archive }, nothing))
    },
    archivedConfig: (archive) => get([...node, "vzdump", "extractconfig"], text, { volume: archive }),
    pruneDryRun: (storage, ref, keep) =>
      get([...node, "storage", storage, "prunebackups"], marks, {
        "prune-backups": keepText(keep),
        type: ref.type,
        vmid: ref.vmid
      }),
    deleteBackup: (archive, mandate) => {
      const call: Call = { method: "DELETE", path: volumePath(node, archive) }
      return onArchive(call, archive, destroy(call, mandate, { op: "backup.delete", volid: archive }, upidOrDone))
    }
  }
}
