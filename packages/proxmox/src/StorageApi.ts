import type { StorageId } from "@felhom/domain/ProxmoxId"
import type { Mandate, MandateRefused } from "@felhom/mandate/Mandate"
import { Effect, Redacted } from "effect"
import { type Caller, nothing } from "./Caller.ts"
import { decodeListing, decodeObject, type Listing } from "./Listing.ts"
import type { ProxmoxError } from "./ProxmoxError.ts"
import { type NewStorage, newStorageParameters, type StorageChange, storageChangeParameters } from "./StorageChange.ts"
import { ContentRow, plainStorageRow, StorageConfig, StorageRow, StorageWritten } from "./StorageRows.ts"

/** Storages, their content and their configuration, which is the whole cluster's. @see platform-facts 1.5, 1.6 */
export interface StorageApi {
  /** The node's storages and their room. @see platform-facts 1.5 */
  readonly storages: Effect.Effect<Listing<StorageRow>, ProxmoxError>
  /** How the storages are set up, for the whole cluster. @see platform-facts 1.6 */
  readonly storageConfig: Effect.Effect<Listing<StorageConfig>, ProxmoxError>
  /** Rows that the token may not see are left out by Proxmox: an empty list can mean that. @see platform-facts 1.5.1 */
  readonly storageContent: (
    storage: StorageId,
    filter?: { readonly content?: string; readonly vmid?: number }
  ) => Effect.Effect<Listing<ContentRow>, ProxmoxError>
  /**
   * Adds a storage, which the answering node tries at once: one that does not answer is not added. `encryptionKey` is the key
   * that `autogen` made, told this once and never again; null when none was made. @see platform-facts 1.6
   */
  readonly createStorage: (
    storage: NewStorage
  ) => Effect.Effect<{ readonly encryptionKey: Redacted.Redacted<string> | null }, ProxmoxError>
  /** @see platform-facts 1.6 */
  readonly updateStorage: (storage: StorageId, change: StorageChange) => Effect.Effect<void, ProxmoxError>
  /**
   * Removes a storage's configuration, with the password and the encryption key that Proxmox keeps: encrypted backups can't be
   * read any more unless the key was kept elsewhere. What is on the storage stays there. @see platform-facts 1.6
   */
  readonly removeStorage: (storage: StorageId, mandate: Mandate) => Effect.Effect<void, ProxmoxError | MandateRefused>
}

const rows = decodeListing(StorageRow, { plain: plainStorageRow })
const configs = decodeListing(StorageConfig)
const content = decodeListing(ContentRow)
const written = decodeObject(StorageWritten)

export const makeStorageApi = ({ destroy, get, node, write }: Caller): StorageApi => ({
  storages: get([...node, "storage"], rows),
  storageConfig: get(["storage"], configs),
  storageContent: (storage, filter) => get([...node, "storage", storage, "content"], content, { ...filter }),
  createStorage: (storage) =>
    Effect.map(
      write({ method: "POST", path: ["storage"], parameters: newStorageParameters(storage) }, written),
      ({ config }) => {
        const key = config?.["encryption-key"] ?? null
        return { encryptionKey: key === null ? null : Redacted.make(key) }
      }
    ),
  updateStorage: (storage, change) =>
    Effect.asVoid(
      write({ method: "PUT", path: ["storage", storage], parameters: storageChangeParameters(change) }, written)
    ),
  removeStorage: (storage, mandate) =>
    destroy({ method: "DELETE", path: ["storage", storage] }, mandate, { op: "storage.remove", storage }, nothing)
})
