import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import type { ProxmoxError } from "@felhom/proxmox/ProxmoxError"
import { Effect } from "effect"
import { roomOf } from "./ActionClass.ts"
import type { ObservedStorage } from "./ObservedHost.ts"
import type { Plan } from "./PlanStep.ts"

type Books = NonNullable<ObservedStorage["metadata"]>

const nameOf = (vg: unknown, lv: unknown): string => `${String(vg)}/${String(lv)}`

/** How full the books of each thin storage are, by the storage's id: two requests. */
const readBooks: Effect.Effect<ReadonlyMap<string, Books>, ProxmoxError, ProxmoxClient> = Effect.gen(function*() {
  const client = yield* ProxmoxClient
  const [configs, pools] = yield* Effect.all([client.storageConfig, client.thinPools])
  const books = new Map(
    pools.rows.flatMap(({ lv, metadata_size, metadata_used, vg }) =>
      metadata_size === null || metadata_used === null
        ? []
        : [[nameOf(vg, lv), { total: metadata_size, used: metadata_used }] as const]
    )
  )
  return new Map(configs.rows.flatMap((config) => {
    const found = config.type === "lvmthin" ? books.get(nameOf(config["vgname"], config["thinpool"])) : undefined
    return found === undefined ? [] : [[config.storage, found] as const]
  }))
})

/**
 * The storages with how full the metadata of thin pools is, as `judgePlan` goes by it. It is asked for only where a step of the plan
 * takes room of such a storage, so that a host that is as it should be is asked nothing more; where it can't be read, the storage
 * says why and the step waits.
 */
export const withThinPools = (
  storages: ReadonlyArray<ObservedStorage>,
  { steps }: Plan
): Effect.Effect<ReadonlyArray<ObservedStorage>, never, ProxmoxClient> => {
  const wanted = new Set(steps.flatMap((step) => (step.class === "benign" ? [roomOf(step.action)?.storage] : [])))
  return storages.some(({ storage, type }) => type === "lvmthin" && wanted.has(storage))
    ? Effect.match(readBooks, {
      onSuccess: (books) => storages.map((one) => ({ ...one, metadata: books.get(one.storage) ?? one.metadata })),
      onFailure: ({ message }) => storages.map((one) => ({ ...one, metadataUnread: message }))
    })
    : Effect.succeed(storages)
}
