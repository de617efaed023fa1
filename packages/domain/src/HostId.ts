import { Schema } from "effect"

/**
 * What a host is called on the wire: 128 random bits in lower-case hex, made by the agent at its first start and kept in
 * its state folder. It is no secret, and it is not the node name: two homes may both have a node `pve`.
 */
export const HostId = Schema.String.pipe(
  Schema.pattern(/^[0-9a-f]{32}$/, { message: () => "a host id is 32 lower-case hex digits" }),
  Schema.brand("HostId")
)
export type HostId = typeof HostId.Type

/** The incarnation of a host's own stores: 128 random bits in hex, new whenever those stores were lost or re-anchored. */
export const HostEpoch = Schema.String.pipe(
  Schema.pattern(/^[0-9a-f]{32}$/, { message: () => "a host epoch is 32 lower-case hex digits" }),
  Schema.brand("HostEpoch")
)
export type HostEpoch = typeof HostEpoch.Type
