import { Schema } from "effect"

/** A node's name, as in `/nodes/{node}`. */
export const NodeName = Schema.String.pipe(
  Schema.pattern(/^[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?$/, {
    message: () => "a node name has letters, digits and inner dashes only"
  }),
  Schema.brand("NodeName")
)
export type NodeName = typeof NodeName.Type

/** A guest's number on its host: 100 to 999 999 999 (platform-facts 1.2). Never its identity: see `GuestIdentity`. */
export const Vmid = Schema.Int.pipe(Schema.between(100, 999_999_999), Schema.brand("Vmid"))
export type Vmid = typeof Vmid.Type

/** `lxc` for a container, `qemu` for a virtual machine. */
export const GuestType = Schema.Literal("lxc", "qemu")
export type GuestType = typeof GuestType.Type

/** A storage's id (platform-facts 1.6). */
export const StorageId = Schema.String.pipe(
  Schema.pattern(/^[a-z][a-z0-9\-_.]*[a-z0-9]$/i, { message: () => "not a storage id" }),
  Schema.brand("StorageId")
)
export type StorageId = typeof StorageId.Type

/** A volume id, `STORAGE:path`. */
export const Volid = Schema.String.pipe(
  Schema.pattern(/^[a-z][a-z0-9\-_.]*[a-z0-9]:.+$/i, { message: () => "a volume id reads STORAGE:path" }),
  Schema.brand("Volid")
)
export type Volid = typeof Volid.Type

/** A snapshot's name: 2 to 40 characters, a letter first; `current` and `vzdump` are reserved (platform-facts 5.11). */
export const SnapshotName = Schema.String.pipe(
  Schema.pattern(/^[a-z][a-z0-9_-]{1,39}$/i, {
    message: () => "a snapshot name has 2 to 40 letters, digits, _ or -, a letter first"
  }),
  Schema.filter((name) =>
    ["current", "vzdump", "pending"].includes(name.toLowerCase()) ? `${name} is a reserved snapshot name` : undefined
  ),
  Schema.brand("SnapshotName")
)
export type SnapshotName = typeof SnapshotName.Type

/** A full API token id, `user@realm!name` (platform-facts 3.1). No secret is part of it. */
export const TokenId = Schema.String.pipe(
  Schema.pattern(/^[^\s:/@!]+@[A-Za-z][A-Za-z0-9.\-_]+![A-Za-z][A-Za-z0-9.\-_]+$/, {
    message: () => "a token id reads user@realm!name, for example felhom-agent@pve!agent"
  }),
  Schema.brand("TokenId")
)
export type TokenId = typeof TokenId.Type

/** Where one guest is found on the agent's own node. */
export const GuestRef = Schema.Struct({ type: GuestType, vmid: Vmid })
export type GuestRef = typeof GuestRef.Type

/** `lxc/101`: how a guest is named in messages and in `/cluster/resources`. */
export const formatGuestRef = (ref: GuestRef): string => `${ref.type}/${ref.vmid}`
