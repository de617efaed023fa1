import type { NetworkStorage } from "@felhom/domain/HostStorage"
import type { PolicyNetworkStorage } from "@felhom/domain/HostStoragePolicy"
import { Crypto } from "@felhom/domain/port/Crypto"
import { type NodeName, StorageId } from "@felhom/domain/ProxmoxId"
import type { KeptDocument, KeptDocumentError } from "@felhom/durable/KeptDocument"
import { StateFile } from "@felhom/durable/StateFile"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import type { NewStorage } from "@felhom/proxmox/StorageChange"
import type { StorageConfig } from "@felhom/proxmox/StorageRows"
import { Data, Effect, Option, Redacted } from "effect"
import { type DiskRecords, noRecords } from "../disks/DiskRecords.ts"
import { keepStorage } from "./StorageWriting.ts"

/** A secret on the host that a storage needs can't be had, in words with what to do. */
export class NoSecret extends Data.TaggedError("NoSecret")<{ readonly message: string }> {}

/** Reads a secret of the host by its name. */
export type Secrets = (name: string) => Effect.Effect<Redacted.Redacted<string>, NoSecret>

/** The storage that the policy's entry means; `password` where the entry names a secret. */
export const networkStorage = (
  storage: StorageId,
  entry: PolicyNetworkStorage,
  node: NodeName,
  password: Redacted.Redacted<string> | undefined
): NewStorage => {
  const of = { storage, nodes: [node] }
  switch (entry.type) {
    case "nfs":
      return { ...of, type: "nfs", content: entry.content, server: entry.server, export: entry.export }
    case "cifs":
      return {
        ...of,
        type: "cifs",
        content: entry.content,
        server: entry.server,
        share: entry.share,
        ...(entry.username === undefined ? {} : { username: entry.username }),
        ...(password === undefined ? {} : { password })
      }
    case "pbs":
      return {
        ...of,
        type: "pbs",
        content: ["backup"],
        server: entry.server,
        port: entry.port,
        datastore: entry.datastore,
        ...(entry.namespace === undefined ? {} : { namespace: entry.namespace }),
        username: entry.username,
        password: password ?? Redacted.make(""),
        fingerprint: entry.fingerprint
      }
  }
}

const secretOf = (
  entry: PolicyNetworkStorage,
  secrets: Secrets
): Effect.Effect<Option.Option<Redacted.Redacted<string>>, NoSecret> =>
  entry.type === "nfs" || entry.credential === undefined
    ? Effect.succeedNone
    : Effect.asSome(secrets(entry.credential))

/**
 * Looks after the storages on other machines that the policy names. A secret is given to Proxmox VE when a storage is added and when it is
 * another one than was given last, and is kept nowhere else: what is kept is a salted hash of it.
 */
export const keepNetworkStorages = (
  network: { readonly [storage: string]: PolicyNetworkStorage },
  configs: ReadonlyArray<StorageConfig>,
  records: KeptDocument<DiskRecords>,
  secrets: Secrets,
  mayNot: string | null
): Effect.Effect<ReadonlyArray<NetworkStorage>, never, ProxmoxClient | StateFile | Crypto> =>
  Effect.forEach(Object.entries(network), ([id, entry]) =>
    Effect.gen(function*() {
      const crypto = yield* Crypto
      const { node } = yield* ProxmoxClient
      const secret = Option.getOrUndefined(yield* secretOf(entry, secrets))
      const held = Option.getOrElse(yield* records.current, () => noRecords).secrets[id]
      const hashed = (salt: string) =>
        secret === undefined ? Effect.succeed("") : crypto.sha256(`${salt} ${Redacted.value(secret)}`)
      const newSecret = secret !== undefined && (held === undefined || held.sha256 !== (yield* hashed(held.salt)))
      const wanted = networkStorage(StorageId.make(id), entry, node, secret)
      const { events, why } = yield* keepStorage(wanted, configs, { enabled: true, newSecret, create: true, mayNot })
      yield* (yield* StateFile).record(events)
      if (newSecret && why === null) {
        const salt = yield* crypto.randomHex(16)
        const sha256 = yield* hashed(salt)
        yield* records.change((before) => {
          const all = Option.getOrElse(before, () => noRecords)
          return Effect.succeed({ ...all, secrets: { ...all.secrets, [id]: { salt, sha256 } } })
        })
      }
      return told(id, entry, why)
    }).pipe(
      Effect.catchAll((error: NoSecret | KeptDocumentError) => Effect.succeed(told(id, entry, error.message)))
    ))

const told = (id: string, { type }: PolicyNetworkStorage, why: string | null): NetworkStorage => ({
  storage: StorageId.make(id),
  type,
  state: why === null ? "ready" : "trouble",
  why
})
