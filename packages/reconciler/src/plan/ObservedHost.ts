import type { GuestStatus } from "@felhom/domain/Guest"
import type { GuestConfig, GuestIdentity } from "@felhom/domain/GuestConfig"
import type { GuestRef, GuestType, NodeName, StorageId, Volid } from "@felhom/domain/ProxmoxId"

/** A guest of this node, with its configuration as it was read for this plan. */
export interface ObservedGuest {
  readonly ref: GuestRef
  readonly name: string | null
  readonly status: GuestStatus
  readonly template: boolean
  /** Why Proxmox refuses changes right now, for example `backup` (platform-facts 5.8). */
  readonly lock: string | null
  /** What the HA manager calls its state; null: it does not manage it. */
  readonly ha: string | null
  /** With its `key` where the host's own record of having made it still names this very guest. */
  readonly identity: GuestIdentity
  /** As it will be from the next start on: pending changes are in it (platform-facts 5.9). */
  readonly merged: GuestConfig
  /** As it is in force. */
  readonly current: GuestConfig
  /** Bytes; null: not known. */
  readonly memoryUsed: number | null
}

/** A guest of this node whose configuration could not be read. */
export interface UnreadGuest {
  readonly ref: GuestRef
  readonly name: string | null
  readonly why: string
}

/** A guest that another node of the cluster runs. */
export interface GuestElsewhere {
  readonly ref: GuestRef
  readonly node: string
}

/** Room on a storage, in bytes; null: not known. */
export interface ObservedStorage {
  readonly storage: StorageId
  readonly type: string
  readonly active: boolean
  readonly total: number | null
  readonly available: number | null
  /** Of a thin pool: what it keeps its books in, which stops every guest on it when it is full. */
  readonly metadata: { readonly total: number; readonly used: number } | null
  /** Why `metadata` could not be read. */
  readonly metadataUnread?: string
}

/** An archive that guests can be made from; `size` in bytes, null: not known. */
export interface ObservedImage {
  readonly volid: Volid
  readonly size: number | null
}

/** What a plan is made from: the agent's own node, read now. */
export interface ObservedHost {
  readonly node: NodeName
  readonly guests: ReadonlyArray<ObservedGuest>
  readonly unread: ReadonlyArray<UnreadGuest>
  readonly elsewhere: ReadonlyArray<GuestElsewhere>
  readonly storages: ReadonlyArray<ObservedStorage>
  readonly images: ReadonlyArray<ObservedImage>
  /** Keys of all guests that the host has on record as made by itself, whether they are still there or not. */
  readonly made: ReadonlyArray<string>
}

/** A guest that the host has on record as made by itself. */
export interface MadeGuest {
  readonly key: string
  readonly ref: GuestRef
  /** `identityText` of what it was when it was made, without its key. */
  readonly identity: string
}

/** `CT 101` or `VM 200`, as people and Proxmox's own pages say it. */
export const spokenRef = ({ type, vmid }: GuestRef): string => `${spokenType[type]} ${vmid}`

export const spokenType: { readonly [type in GuestType]: string } = { lxc: "CT", qemu: "VM" }
