import { formatGuestRef, type GuestRef, type NodeName } from "@felhom/domain/ProxmoxId"

/**
 * The line by which an operator asks for what takes a signature; the reason is theirs to give. A node's name needs no quotes in a
 * shell, nor does a guest's.
 */
export const guestOpLine = (op: "guest.destroy" | "guest.stop_hard", node: NodeName, ref: GuestRef): string =>
  `felhom op ${op} --host ${node} --guest ${formatGuestRef(ref)} --reason 'WHY'`

/** The same for a volume that no guest's configuration names, and no backup holds; its size in bytes, which the host compares. */
export const volumeOpLine = (
  node: NodeName,
  { size, volid }: { readonly volid: string; readonly size: number }
): string =>
  `felhom op volume.delete --host ${node} --volid ${volid} --size ${size} --accept-no-proven-backup --reason 'WHY'`
