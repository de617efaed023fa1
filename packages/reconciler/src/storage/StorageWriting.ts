import type { StorageId } from "@felhom/domain/ProxmoxId"
import type { NewEvent } from "@felhom/durable/StateFile"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import type { NewStorage } from "@felhom/proxmox/StorageChange"
import type { StorageConfig } from "@felhom/proxmox/StorageRows"
import { Effect } from "effect"
import { planStorage } from "./StoragePlan.ts"

/** What came of looking after a storage: why it is not as it should be, and what was done for it. */
export interface StorageOutcome {
  readonly why: string | null
  readonly events: ReadonlyArray<NewEvent>
}

const kept = (storage: StorageId, message: string): NewEvent => ({
  kind: "storage.kept",
  severity: "info",
  subject: storage,
  message
})

const wordsFor: { readonly [key: string]: string } = {
  mountpoint: "unusable while nothing is mounted there",
  content: "what it is for",
  enabled: "switched on or off",
  username: "the user",
  fingerprint: "the fingerprint",
  password: "the secret"
}

/**
 * Makes a storage as it should be, or puts right of it what loses nothing. `may` false: what there would be to do is said, and not done.
 * Where a storage points is never changed.
 */
export const keepStorage = (
  wanted: NewStorage,
  configs: ReadonlyArray<StorageConfig>,
  options: {
    readonly enabled: boolean
    readonly newSecret: boolean
    readonly create: boolean
    readonly mayNot: string | null
  }
): Effect.Effect<StorageOutcome, never, ProxmoxClient> =>
  Effect.gen(function*() {
    const client = yield* ProxmoxClient
    const { storage } = wanted
    const config = configs.find((one) => one.storage.toLowerCase() === storage.toLowerCase())
    const found = planStorage(wanted, config, client.node, options)
    const nothing = (why: string | null): StorageOutcome => ({ why, events: [] })
    if (found.plan === "fine") return nothing(null)
    if (found.plan === "differs") return nothing(found.why)
    if (found.plan === "create" && !options.create) return nothing(null)
    if (options.mayNot !== null) return nothing(`the storage ${storage} is not as it should be, and ${options.mayNot}`)
    const [done, words] = found.plan === "create"
      ? [Effect.asVoid(client.createStorage(wanted)), `the storage ${storage} (${wanted.type}) was added`]
      : [
        client.updateStorage(storage, found.change),
        `the storage ${storage} was put right: ${found.what.map((key) => wordsFor[key] ?? key).join(", ")}`
      ]
    return yield* Effect.match(done, {
      onFailure: (error) => nothing(error.message),
      onSuccess: (): StorageOutcome => ({ why: null, events: [kept(storage, words)] })
    })
  })

/** On a cluster storages are everybody's (protocol 3); the reason why this host may not write them, or null. */
export const whyNotWriting = (writesCluster: boolean) =>
  Effect.gen(function*() {
    if (writesCluster) return null
    const { rows } = yield* (yield* ProxmoxClient).nodes
    return rows.length <= 1
      ? null
      : "this host is one of several nodes and not the one that writes their storages (storage.writesCluster in its policy)"
  })
