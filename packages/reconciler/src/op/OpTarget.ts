import { type GuestRef, StorageId, type Volid } from "@felhom/domain/ProxmoxId"
import type { SignedOp } from "@felhom/domain/SignedOp"
import type { IntendedCall } from "@felhom/durable/JournalWords"
import type { ProxmoxApi } from "@felhom/proxmox/ProxmoxClient"

/** An op on a guest, or on a snapshot of one. */
export type GuestOp = Extract<SignedOp, { readonly target: { readonly guest: GuestRef } }>
/** An op on an archive or a volume. */
export type VolumeOp = Extract<SignedOp, { readonly target: { readonly volid: Volid } }>

export const storageOf = (volid: Volid): StorageId => StorageId.make(volid.slice(0, volid.indexOf(":")))

/** What is done to one of these is done one after the other. */
export const queueOf = (op: SignedOp): string => {
  if ("guest" in op.target) return `guest ${op.target.guest.vmid}`
  if ("volid" in op.target) return `storage ${storageOf(op.target.volid)}`
  return "storage" in op.target ? `storage ${op.target.storage}` : "host"
}

/** Of those that load the host's disks, one at a time is under way. To stop a guest must not wait for another one's end. */
export const isHeavy = (op: SignedOp): boolean =>
  op.op === "guest.destroy" || op.op === "guest.rollback" || op.op === "snapshot.delete" ||
  op.op === "backup.delete" || op.op === "volume.delete"

const taskTypes = {
  "guest.destroy": "destroy",
  "guest.rollback": "rollback",
  "guest.stop_hard": "stop",
  "snapshot.delete": "delsnapshot"
} as const

/** The call that the op comes to, and how its task is found if the answer is lost. */
export const intendedCall = (op: SignedOp, node: ProxmoxApi["node"]): IntendedCall => {
  const at = `/nodes/${node}`
  const none = { vmid: null, taskType: null }
  const guest = (target: GuestRef, kind: keyof typeof taskTypes, method: string, path: string): IntendedCall => ({
    call: `${method} ${at}/${target.type}/${target.vmid}${path}`,
    vmid: target.vmid,
    taskType: `${target.type === "lxc" ? "vz" : "qm"}${taskTypes[kind]}`
  })
  const volume = (volid: Volid, method: string) =>
    `${method} ${at}/storage/${storageOf(volid)}/content/${volid}`.slice(0, 1024)
  switch (op.op) {
    case "guest.destroy":
      return guest(op.target.guest, op.op, "DELETE", "")
    case "guest.rollback":
      return guest(op.target.guest, op.op, "POST", `/snapshot/${op.target.snapshot}/rollback`)
    case "guest.stop_hard":
      return guest(op.target.guest, op.op, "POST", "/status/stop")
    case "snapshot.delete":
      return guest(op.target.guest, op.op, "DELETE", `/snapshot/${op.target.snapshot}`)
    case "backup.delete":
    case "volume.delete":
      return { call: volume(op.target.volid, "DELETE"), vmid: null, taskType: "imgdel" }
    case "backup.unprotect":
      return { call: volume(op.target.volid, "PUT"), ...none }
    case "storage.remove":
      return { call: `DELETE /storage/${op.target.storage}`, ...none }
    default:
      return { call: `local ${op.op}`, ...none }
  }
}
