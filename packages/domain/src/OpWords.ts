import { displayTextWithin } from "./DisplayText.ts"
import { formatGuestRef } from "./ProxmoxId.ts"
import type { SignedOp } from "./SignedOp.ts"

/** `lxc/101`, a volume or a storage id; null for the host itself. */
export const opSubject = (op: SignedOp): string | null => {
  switch (op.op) {
    case "guest.destroy":
    case "guest.rollback":
    case "guest.stop_hard":
    case "snapshot.delete":
      return formatGuestRef(op.target.guest)
    case "backup.delete":
    case "backup.unprotect":
    case "volume.delete":
      return op.target.volid.slice(0, 256)
    case "storage.remove":
      return op.target.storage
    default:
      return null
  }
}

const guest = (op: Extract<SignedOp, { readonly target: { readonly guest: unknown } }>): string => {
  const name = op.expect.name === null ? "" : ` (${displayTextWithin(op.expect.name, 80)})`
  return `${formatGuestRef(op.target.guest)}${name}`
}

/** What the op does, to what, in words that follow "to": `delete the snapshot before-update of lxc/101 (web)`. One line. */
export const opWords = (op: SignedOp): string => {
  switch (op.op) {
    case "guest.destroy":
      return `destroy ${guest(op)}${
        op.params.unreferencedDisks ? ", with disks that its configuration does not name" : ""
      }`
    case "guest.rollback":
      return `roll ${guest(op)} back to its snapshot ${op.target.snapshot}`
    case "guest.stop_hard":
      return `stop ${guest(op)} without asking it`
    case "snapshot.delete":
      return `delete the snapshot ${op.target.snapshot} of ${guest(op)}`
    case "backup.delete":
      return `delete the backup ${displayTextWithin(op.target.volid, 200)}`
    case "backup.unprotect":
      return `take the protection from the backup ${displayTextWithin(op.target.volid, 200)}`
    case "volume.delete":
      return `delete the volume ${displayTextWithin(op.target.volid, 200)}`
    case "storage.remove":
      return `remove the storage ${op.target.storage}`
    case "signers.update":
      return `take version ${op.params.version} of the signers`
    case "policy.widen":
      return "take a wider host policy"
    case "desired.accept_epoch":
      return `accept the hub's epoch ${op.target.epoch}`
    case "store.reanchor":
      return "begin the record of spent nonces anew"
    case "hold.release":
      return "release the hold"
  }
}
