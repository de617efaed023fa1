import type { SignedOp } from "@felhom/domain/SignedOp"
import type { Upid } from "@felhom/domain/Upid"
import type { Mandate, MandateRefused } from "@felhom/mandate/Mandate"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import type { ProxmoxError } from "@felhom/proxmox/ProxmoxError"
import { Effect } from "effect"
import { met, type Unmet, volumeRow } from "./Expectation.ts"

/** The one call that the op stands for. A UPID is to be waited for; null was done at once. */
export const callOf = (
  op: SignedOp,
  mandate: Mandate
): Effect.Effect<Upid | null, ProxmoxError | MandateRefused, ProxmoxClient> =>
  Effect.flatMap(ProxmoxClient, (client): Effect.Effect<Upid | null, ProxmoxError | MandateRefused> => {
    switch (op.op) {
      case "guest.destroy":
        return client.destroyGuest(op.target.guest, mandate, { unreferencedDisks: op.params.unreferencedDisks })
      case "guest.rollback":
        return client.rollback(op.target.guest, op.target.snapshot, mandate)
      case "guest.stop_hard":
        return client.stopHard(op.target.guest, mandate)
      case "snapshot.delete":
        return client.deleteSnapshot(op.target.guest, op.target.snapshot, mandate)
      case "backup.delete":
        return client.deleteBackup(op.target.volid, mandate)
      case "backup.unprotect":
        return Effect.as(client.unprotectBackup(op.target.volid, mandate), null)
      case "volume.delete":
        return client.deleteVolume(op.target.volid, mandate)
      case "storage.remove":
        return Effect.as(client.removeStorage(op.target.storage, mandate), null)
      default:
        return Effect.dieMessage(`${op.op} is no call to Proxmox`)
    }
  })

/**
 * Why the effect of a call that Proxmox says was done can't be seen; undefined when it can. A task's `OK` is a task's word, and
 * not the thing itself.
 */
export const effectMissing = (op: SignedOp): Effect.Effect<Unmet, ProxmoxError, ProxmoxClient> =>
  Effect.gen(function*() {
    const client = yield* ProxmoxClient
    switch (op.op) {
      case "guest.destroy":
        return yield* client.guestConfig(op.target.guest).pipe(
          Effect.as("the guest is still there"),
          Effect.catchIf(({ reason }) => reason === "guest-not-found", () => met)
        )
      case "guest.rollback": {
        const { current } = yield* client.snapshots(op.target.guest)
        return current?.parent === op.target.snapshot ? undefined : "the guest does not stand on that snapshot"
      }
      case "guest.stop_hard":
        return (yield* client.guestStatus(op.target.guest)).status === "running" ? "the guest still runs" : undefined
      case "snapshot.delete": {
        const { rows } = yield* client.snapshots(op.target.guest)
        return rows.some(({ name }) => name === op.target.snapshot) ? "the snapshot is still there" : undefined
      }
      case "backup.delete":
      case "volume.delete":
        return (yield* volumeRow(op)) === undefined ? undefined : "it is still there"
      case "backup.unprotect":
        return (yield* volumeRow(op))?.protected === true ? "it is still protected" : undefined
      case "storage.remove": {
        const { rows } = yield* client.storageConfig
        return rows.some(({ storage }) => storage === op.target.storage) ? "the storage is still there" : undefined
      }
      default:
        return undefined
    }
  })
