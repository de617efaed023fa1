import { guestIdentity } from "@felhom/domain/GuestConfig"
import { formatGuestRef, type GuestRef, StorageId, Volid } from "@felhom/domain/ProxmoxId"
import type { GuestResource, GuestRow } from "@felhom/proxmox/GuestRows"
import type { UnreadableRow } from "@felhom/proxmox/Listing"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import type { ProxmoxError } from "@felhom/proxmox/ProxmoxError"
import { Effect, Either, Schema } from "effect"
import { checkRights, explainMissing } from "../Rights.ts"
import { keyedIdentity } from "./Matching.ts"
import type {
  MadeGuest,
  ObservedGuest,
  ObservedHost,
  ObservedImage,
  ObservedStorage,
  UnreadGuest
} from "./ObservedHost.ts"

/** The host can't be seen well enough to plan for it. `rights`: the token may not see it. `rows`: Proxmox lists what can't be read. */
export class SightError extends Schema.TaggedError<SightError>()("SightError", {
  reason: Schema.Literal("rights", "rows"),
  detail: Schema.String
}) {
  override get message(): string {
    return this.reason === "rights"
      ? `no guest can be seen, and nothing is planned for a host that looks empty: ${this.detail}`
      : `Proxmox VE lists what this version can't read (${this.detail}), and nothing is planned around what can't be seen; ` +
        "look at those guests, and tell us what is special about them"
  }
}

type Asked<A> = Effect.Effect<A, ProxmoxError | SightError, ProxmoxClient>

const wholeRows = (unreadable: ReadonlyArray<UnreadableRow>): Effect.Effect<void, SightError> =>
  unreadable.length === 0
    ? Effect.void
    : new SightError({
      reason: "rows",
      detail: unreadable.slice(0, 5).map(({ problem, row }) => `${row}: ${problem}`).join("; ")
    })

interface Listed {
  readonly ref: GuestRef
  readonly row: GuestRow
}

/** The node's own lists say what runs now, where the cluster's are some seconds old (platform-facts 1.1, 1.2). */
const ownGuests: Asked<ReadonlyArray<Listed>> = Effect.gen(function*() {
  const client = yield* ProxmoxClient
  const [lxc, qemu] = yield* Effect.all([client.guests("lxc"), client.guests("qemu")])
  yield* wholeRows([...lxc.unreadable, ...qemu.unreadable])
  const rows = [
    ...lxc.rows.map((row): Listed => ({ ref: { type: "lxc", vmid: row.vmid }, row })),
    ...qemu.rows.map((row): Listed => ({ ref: { type: "qemu", vmid: row.vmid }, row }))
  ]
  if (rows.length > 0) return rows
  const finding = yield* checkRights([{ privilege: "VM.Audit", path: "/vms" }])
  return finding.missing.length === 0
    ? rows
    : yield* new SightError({ reason: "rights", detail: explainMissing(finding, client.tokenId) })
})

const readGuest = (
  { ref, row }: Listed,
  resource: GuestResource | undefined,
  made: MadeGuest | undefined
): Effect.Effect<ObservedGuest, ProxmoxError | string, ProxmoxClient> =>
  Effect.gen(function*() {
    const client = yield* ProxmoxClient
    const merged = yield* client.guestConfig(ref)
    // What is pending says nothing about a guest that does not run: it holds from its start on.
    const current = row.status === "stopped" ? merged : yield* client.guestConfig(ref, { current: true })
    if (current["digest"] !== merged["digest"]) return yield* Effect.fail("it was changed while it was read")
    const identity = guestIdentity(ref.type, merged)
    return {
      ref,
      name: row.name,
      status: row.status,
      template: row.template,
      lock: row.lock,
      ha: resource?.hastate ?? null,
      identity: keyedIdentity(ref, identity, made),
      merged,
      current,
      memoryUsed: row.status === "running" ? row.mem : null
    }
  })

const readOrTold = (listed: Listed, resource: GuestResource | undefined, made: MadeGuest | undefined) =>
  Effect.map(
    Effect.either(readGuest(listed, resource, made)),
    Either.mapLeft((error): UnreadGuest => ({
      ref: listed.ref,
      name: listed.row.name,
      why: typeof error === "string" ? error : error.message
    }))
  )

const isVolid = Schema.is(Volid)

const away: ReadonlySet<ProxmoxError["reason"]> = new Set(["storage-not-found", "storage-offline"])

/** Those of these archives that are on this host; one request for each storage that they are on. */
export const readImages = (archives: ReadonlyArray<Volid>): Asked<ReadonlyArray<ObservedImage>> =>
  Effect.gen(function*() {
    const client = yield* ProxmoxClient
    // What is no template is an archive, or nothing that could be found.
    const places = [
      ...new Map(archives.map((volid) => {
        const storage = StorageId.make(volid.slice(0, volid.indexOf(":")))
        const content = volid.startsWith(`${storage}:vztmpl/`) ? "vztmpl" : "backup"
        return [`${storage} ${content}`, { storage, content }]
      })).values()
    ]
    const lists = yield* Effect.forEach(places, ({ content, storage }) =>
      Effect.catchIf(
        client.storageContent(storage, { content }),
        ({ reason }) => away.has(reason),
        // The plan says which image is missing.
        () => Effect.succeed({ rows: [], unreadable: [] })
      ))
    const wanted = new Set<string>(archives)
    return lists.flatMap(({ rows }) =>
      rows.flatMap(({ size, volid }) => wanted.has(volid) && isVolid(volid) ? [{ volid, size }] : [])
    )
  })

/** How much room there is now. One request. */
export const readStorages: Asked<ReadonlyArray<ObservedStorage>> = Effect.flatMap(
  ProxmoxClient,
  (client) =>
    Effect.map(client.storages, ({ rows }) =>
      rows.map(({ active, avail, storage, total, type }) => ({
        storage,
        type,
        active,
        total: active ? total : null,
        available: active ? avail : null,
        // Asked for where a step takes room of a thin pool (`withThinPools`), and what is not known is no room.
        metadata: null
      })))
)

/**
 * Everything that a plan is made from, read now: four requests, one for each guest, two where it runs, and one for each storage that
 * archives, or templates, among `archives` are on: those of the policy's images. A guest that can't be read is named in `unread`; none of it is guessed. `made` is
 * the host's own record: a guest has its key while it is still what it was when it was made.
 */
export const lookAtHost = (
  { archives, made }: { readonly archives: ReadonlyArray<Volid>; readonly made: ReadonlyArray<MadeGuest> }
): Asked<ObservedHost> =>
  Effect.gen(function*() {
    const client = yield* ProxmoxClient
    const listed = yield* ownGuests
    const cluster = yield* client.clusterResources
    const resources = new Map(
      cluster.guests.filter(({ node }) => node === client.node).map((row) => [formatGuestRef(row), row])
    )
    const records = new Map(made.map((one) => [formatGuestRef(one.ref), one]))
    const read = yield* Effect.forEach(
      listed,
      (one) => readOrTold(one, resources.get(formatGuestRef(one.ref)), records.get(formatGuestRef(one.ref))),
      { concurrency: 2 }
    )
    return {
      node: client.node,
      guests: read.flatMap((one) => Either.isRight(one) ? [one.right] : []),
      unread: read.flatMap((one) => Either.isLeft(one) ? [one.left] : []),
      elsewhere: cluster.guests.flatMap(({ node, type, vmid }) =>
        node === client.node ? [] : [{ ref: { type, vmid }, node }]
      ),
      storages: yield* readStorages,
      images: yield* readImages(archives),
      made: made.map(({ key }) => key)
    }
  })
