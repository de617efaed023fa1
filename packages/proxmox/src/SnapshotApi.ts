import type { GuestRef, SnapshotName } from "@felhom/domain/ProxmoxId"
import type { Upid } from "@felhom/domain/Upid"
import type { Mandate, MandateRefused } from "@felhom/mandate/Mandate"
import type { Effect } from "effect"
import { type Caller, upid } from "./Caller.ts"
import type { ProxmoxError } from "./ProxmoxError.ts"
import { decodeSnapshotListing, type SnapshotListing } from "./SnapshotListing.ts"

/** A guest's snapshots. @see platform-facts 5.11 */
export interface SnapshotApi {
  /** Without the pseudo snapshot `current`, which is given for itself. @see platform-facts 1.2 */
  readonly snapshots: (ref: GuestRef) => Effect.Effect<SnapshotListing, ProxmoxError>
  /** Takes a snapshot without memory. @see platform-facts 5.11 */
  readonly createSnapshot: (
    ref: GuestRef,
    snapshot: { readonly name: SnapshotName; readonly description?: string }
  ) => Effect.Effect<Upid, ProxmoxError>
  /** Removes a snapshot for good. The mandate is spent just before the request leaves. @see platform-facts 5.11 */
  readonly deleteSnapshot: (
    ref: GuestRef,
    name: SnapshotName,
    mandate: Mandate
  ) => Effect.Effect<Upid, ProxmoxError | MandateRefused>
  /**
   * Puts a guest back to a snapshot; a running one is killed for it and stays stopped. What came since is lost. The mandate is
   * spent just before the request leaves. @see platform-facts 5.11
   */
  readonly rollback: (
    ref: GuestRef,
    name: SnapshotName,
    mandate: Mandate
  ) => Effect.Effect<Upid, ProxmoxError | MandateRefused>
}

export const makeSnapshotApi = ({ destroy, get, node, write }: Caller): SnapshotApi => {
  const path = (ref: GuestRef) => [...node, ref.type, ref.vmid, "snapshot"]
  return {
    snapshots: (ref) => get(path(ref), decodeSnapshotListing),
    createSnapshot: (ref, { description, name }) =>
      write({
        method: "POST",
        path: path(ref),
        parameters: { snapname: name, description: description === "" ? undefined : description }
      }, upid),
    deleteSnapshot: (ref, name, mandate) =>
      destroy(
        { method: "DELETE", path: [...path(ref), name] },
        mandate,
        { op: "snapshot.delete", guest: ref, snapshot: name },
        upid
      ),
    rollback: (ref, name, mandate) =>
      destroy(
        { method: "POST", path: [...path(ref), name, "rollback"] },
        mandate,
        { op: "guest.rollback", guest: ref, snapshot: name },
        upid
      )
  }
}
