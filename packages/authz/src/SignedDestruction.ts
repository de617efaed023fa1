import type { SignedOp } from "@felhom/domain/SignedOp"
import type { Destruction } from "@felhom/mandate/Mandate"

/** What a signed op allows to be destroyed, of all that Proxmox holds; null for what is the agent's own affair. Total over the ops. */
export const signedDestruction = (op: SignedOp): Destruction | null => {
  switch (op.op) {
    case "guest.destroy":
      return { op: op.op, guest: op.target.guest, unreferencedDisks: op.params.unreferencedDisks }
    case "guest.rollback":
    case "snapshot.delete":
      return { op: op.op, guest: op.target.guest, snapshot: op.target.snapshot }
    case "guest.stop_hard":
      return { op: op.op, guest: op.target.guest }
    case "backup.delete":
    case "backup.unprotect":
    case "volume.delete":
      return { op: op.op, volid: op.target.volid }
    case "storage.remove":
      return { op: op.op, storage: op.target.storage }
    case "signers.update":
    case "policy.widen":
    case "desired.accept_epoch":
    case "store.reanchor":
    case "hold.release":
      return null
  }
}
