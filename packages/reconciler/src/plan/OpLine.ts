import { formatGuestRef, type GuestRef, type NodeName } from "@felhom/domain/ProxmoxId"

/**
 * The line by which an operator asks for what takes a signature; the reason is theirs to give. A node's name needs no quotes in a
 * shell, nor does a guest's.
 */
export const guestOpLine = (op: "guest.destroy" | "guest.stop_hard", node: NodeName, ref: GuestRef): string =>
  `felhom op ${op} --host ${node} --guest ${formatGuestRef(ref)} --reason 'WHY'`
