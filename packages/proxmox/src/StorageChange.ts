import type { NodeName, StorageId } from "@felhom/domain/ProxmoxId"
import { Redacted } from "effect"
import type { Parameters } from "./FormEncoding.ts"

interface NewStorageOfAnyType {
  readonly storage: StorageId
  /** `backup`, `images`, `rootdir`, `vztmpl` and so on; a backup server takes `backup` only. */
  readonly content: ReadonlyArray<string>
  /** Only on these nodes; left out: on all of the cluster. */
  readonly nodes?: ReadonlyArray<NodeName>
}

/**
 * A storage to be added. Retention is no part of it: what prunes backups is decided on the host, not by whoever adds a storage
 * (platform-facts 6.4).
 *
 * @see platform-facts 1.6
 */
export type NewStorage =
  /**
   * A folder. `mountpoint` true: it is a mount point, and unusable while nothing is mounted there; without it Proxmox would
   * write to the root file system instead.
   */
  | (NewStorageOfAnyType & { readonly type: "dir"; readonly path: string; readonly mountpoint: boolean })
  | (NewStorageOfAnyType & { readonly type: "nfs"; readonly server: string; readonly export: string })
  | (NewStorageOfAnyType & {
    readonly type: "cifs"
    readonly server: string
    readonly share: string
    readonly username?: string
    readonly password?: Redacted.Redacted<string>
  })
  | (NewStorageOfAnyType & {
    readonly type: "pbs"
    readonly server: string
    readonly port?: number
    readonly datastore: string
    readonly namespace?: string
    readonly username: string
    readonly password: Redacted.Redacted<string>
    /** `AA:BB:…`, of the backup server's certificate. */
    readonly fingerprint: string
    /** `autogen` makes a key, which is told once, in the answer; or the key itself, as JSON. */
    readonly encryptionKey?: "autogen" | Redacted.Redacted<string>
  })

/**
 * A change to a storage that loses nothing and can be taken back. What could lose something, such as another encryption key or
 * a retention, can't be said here.
 */
export interface StorageChange {
  readonly content?: ReadonlyArray<string>
  readonly nodes?: ReadonlyArray<NodeName>
  readonly enabled?: boolean
  readonly username?: string
  readonly password?: Redacted.Redacted<string>
  readonly fingerprint?: string
  /** Of a folder: unusable while nothing is mounted there. The other way round can't be said here. */
  readonly mountpoint?: true
  /** Makes it fail with `conflict` if somebody else changed the storages in between. */
  readonly digest?: string
}

const list = (items: ReadonlyArray<string> | undefined): string | undefined =>
  items === undefined || items.length === 0 ? undefined : items.join(",")

const open = (secret: Redacted.Redacted<string> | undefined): string | undefined =>
  secret === undefined ? undefined : Redacted.value(secret)

const ofType = (storage: NewStorage): Parameters => {
  switch (storage.type) {
    case "dir":
      return { path: storage.path, is_mountpoint: storage.mountpoint ? "yes" : undefined }
    case "nfs":
      return { server: storage.server, export: storage.export }
    case "cifs":
      return {
        server: storage.server,
        share: storage.share,
        username: storage.username,
        password: open(storage.password)
      }
    case "pbs":
      return {
        server: storage.server,
        port: storage.port,
        datastore: storage.datastore,
        namespace: storage.namespace,
        username: storage.username,
        password: open(storage.password),
        fingerprint: storage.fingerprint,
        "encryption-key": Redacted.isRedacted(storage.encryptionKey)
          ? Redacted.value(storage.encryptionKey)
          : storage.encryptionKey
      }
  }
}

export const newStorageParameters = (storage: NewStorage): Parameters => ({
  storage: storage.storage,
  type: storage.type,
  content: list(storage.content),
  nodes: list(storage.nodes),
  ...ofType(storage)
})

export const storageChangeParameters = (change: StorageChange): Parameters => ({
  content: list(change.content),
  nodes: list(change.nodes),
  disable: change.enabled === undefined ? undefined : !change.enabled,
  username: change.username,
  password: open(change.password),
  fingerprint: change.fingerprint,
  is_mountpoint: change.mountpoint === true ? "yes" : undefined,
  digest: change.digest
})
