import { HttpClient } from "@effect/platform"
import type { GuestConfig } from "@felhom/domain/GuestConfig"
import type { GuestRef, GuestType, NodeName, SnapshotName, StorageId, TokenId } from "@felhom/domain/ProxmoxId"
import { Upid } from "@felhom/domain/Upid"
import { type Destruction, Mandate, type MandateRefused } from "@felhom/mandate/Mandate"
import { Context, Effect, Either, Layer, Schema } from "effect"
import { type ConfigChange, needsMandate } from "./BenignConfig.ts"
import { type ClusterResources, decodeClusterResources } from "./ClusterResources.ts"
import type { Parameters } from "./FormEncoding.ts"
import { Feature, GuestRow, WireGuestConfig } from "./GuestRows.ts"
import { decodeListing, decodeObject, type Listing } from "./Listing.ts"
import { DiskRow, NodeRow, NodeStatus, Permissions, Version } from "./NodeRows.ts"
import { ProxmoxConfig, type ProxmoxSettings } from "./ProxmoxConfig.ts"
import type { ProxmoxError } from "./ProxmoxError.ts"
import { decodeSnapshotListing, type SnapshotListing } from "./SnapshotListing.ts"
import { ContentRow, StorageConfig, StorageRow } from "./StorageRows.ts"
import { TaskLogLine, TaskRow, TaskStatus } from "./TaskRows.ts"
import { type Answer, type Call, make as makeTransport, type Transport } from "./Transport.ts"

/** Which tasks to list. `since` and `until` are seconds of the node's clock and are compared with a task's start. */
export interface TaskFilter {
  /** `archive` misses running tasks, `active` finished ones. */
  readonly source: "all" | "active" | "archive"
  /** The task's id exactly, so one named `101@storage` is not found by 101. */
  readonly vmid?: number
  readonly type?: string
  readonly since?: number
  readonly until?: number
  /** At most this many, 50 if not given. */
  readonly limit?: number
}

/** Lines of a task's log, and how many there are in all. */
export interface TaskLog extends Listing<TaskLogLine> {
  readonly total: number
}

/**
 * Typed calls to one node of Proxmox VE over its API, as the configured token.
 *
 * At most two calls are in flight and each ends within 60 s; answers above 16 MiB are refused. Writes are sent once and never
 * again: when one gets no answer its error has the reason `outcome-unknown`. A read is repeated once if the server closed the
 * idle connection under it. Lists name the rows that could not be read instead of failing.
 *
 * There is no call here to stop a guest hard, to destroy one, or to remove a backup.
 *
 * @see platform-facts 1 for the endpoints, 2.4 for the privilege that each one takes
 */
export class ProxmoxClient extends Context.Tag("felhom/proxmox/ProxmoxClient")<ProxmoxClient, {
  /** The node whose guests, storages and tasks these calls are about. */
  readonly node: NodeName
  /** As whom they are made. */
  readonly tokenId: TokenId

  /** @see platform-facts 1.1 */
  readonly version: Effect.Effect<Version, ProxmoxError>
  /** Every node of the cluster. @see platform-facts 1.1 */
  readonly nodes: Effect.Effect<Listing<NodeRow>, ProxmoxError>
  /** @see platform-facts 1.1 */
  readonly nodeStatus: Effect.Effect<NodeStatus, ProxmoxError>
  /** Guests, nodes and storages of the whole cluster in one call, about 10 s old. @see platform-facts 1.1 */
  readonly clusterResources: Effect.Effect<ClusterResources, ProxmoxError>
  /** The node's guests of one type, read now; guests without VM.Audit are left out by Proxmox. @see platform-facts 1.2 */
  readonly guests: (type: GuestType) => Effect.Effect<Listing<GuestRow>, ProxmoxError>
  /**
   * A guest's configuration with pending changes merged in, or, with `current`, what is in force, or that of a snapshot.
   * `digest` is among its keys. @see platform-facts 5.9
   */
  readonly guestConfig: (
    ref: GuestRef,
    options?: { readonly current?: boolean } | { readonly snapshot: SnapshotName }
  ) => Effect.Effect<GuestConfig, ProxmoxError>
  /** @see platform-facts 1.2 */
  readonly guestStatus: (ref: GuestRef) => Effect.Effect<GuestRow, ProxmoxError>
  /** Without the pseudo snapshot `current`, which is given for itself. @see platform-facts 1.2 */
  readonly snapshots: (ref: GuestRef) => Effect.Effect<SnapshotListing, ProxmoxError>
  /**
   * Writes benign keys of a guest's configuration. Null: it is done. A UPID: wait for it (`TaskWaiter.settle` takes either).
   * Any other key fails with `no-mandate` and nothing is sent; a stale digest with `conflict`. If one key can't be applied,
   * none is written, though others may already be live: send independent changes by themselves. @see platform-facts 5.9
   */
  readonly setConfig: (ref: GuestRef, change: ConfigChange) => Effect.Effect<Upid | null, ProxmoxError>
  /** Takes a snapshot without memory. @see platform-facts 5.11 */
  readonly createSnapshot: (
    ref: GuestRef,
    snapshot: { readonly name: SnapshotName; readonly description?: string }
  ) => Effect.Effect<Upid, ProxmoxError>
  /** Removes a snapshot for good. The mandate is spent just before the request leaves. @see platform-facts 5.11 */
  readonly deleteSnapshot: (
    ref: GuestRef,
    name: SnapshotName,
    mandate: Mandate
  ) => Effect.Effect<Upid, ProxmoxError | MandateRefused>
  /**
   * Puts a guest back to a snapshot; a running one is killed for it and stays stopped. What came since is lost. The mandate is
   * spent just before the request leaves. @see platform-facts 5.11
   */
  readonly rollback: (
    ref: GuestRef,
    name: SnapshotName,
    mandate: Mandate
  ) => Effect.Effect<Upid, ProxmoxError | MandateRefused>
  /** A guest that runs already is `wrong-state`. Pending changes are applied. @see platform-facts 5.13 */
  readonly start: (ref: GuestRef) => Effect.Effect<Upid, ProxmoxError>
  /** Asks the guest to shut down; when it has not after the time, the task fails and the guest runs on. @see platform-facts 5.13 */
  readonly shutdown: (
    ref: GuestRef,
    options?: { readonly timeoutSeconds?: number }
  ) => Effect.Effect<Upid, ProxmoxError>
  /** Whether the guest's volumes allow snapshots. @see platform-facts 5.11 */
  readonly hasFeature: (ref: GuestRef, feature: "snapshot" | "clone" | "copy") => Effect.Effect<boolean, ProxmoxError>
  /** Without Sys.Audit a token sees its own only. There is no filter by user: it stops matching. @see platform-facts 11, item 14 */
  readonly tasks: (filter: TaskFilter) => Effect.Effect<Listing<TaskRow>, ProxmoxError>
  /** A record that is gone is `task-not-found`. @see platform-facts 4.2 */
  readonly taskStatus: (upid: Upid) => Effect.Effect<TaskStatus, ProxmoxError>
  /** `limit` lines (0: all) after the first `start`; for a task whose log is gone, one line that says so. @see platform-facts 4.3 */
  readonly taskLog: (
    upid: Upid,
    range: { readonly start: number; readonly limit: number }
  ) => Effect.Effect<TaskLog, ProxmoxError>
  /** The node's storages and their room. @see platform-facts 1.5 */
  readonly storages: Effect.Effect<Listing<StorageRow>, ProxmoxError>
  /** How the storages are set up, for the whole cluster. @see platform-facts 1.6 */
  readonly storageConfig: Effect.Effect<Listing<StorageConfig>, ProxmoxError>
  /** Rows that the token may not see are left out by Proxmox: an empty list can mean that. @see platform-facts 1.5.1 */
  readonly storageContent: (
    storage: StorageId,
    filter?: { readonly content?: string; readonly vmid?: number }
  ) => Effect.Effect<Listing<ContentRow>, ProxmoxError>
  /** `health` and `wearout` take smartctl some time for each disk; with `skipSmart` they are left unknown. @see platform-facts 1.8 */
  readonly disks: (options?: { readonly skipSmart?: boolean }) => Effect.Effect<Listing<DiskRow>, ProxmoxError>
  /** What this token may do, on one path exactly or on all that Proxmox enumerates. @see platform-facts 3.3 */
  readonly permissions: (path?: string) => Effect.Effect<Permissions, ProxmoxError>
}>() {}

// An empty text also says that there is nothing to wait for.
const UpidOrDone = Schema.Union(
  Upid,
  Schema.transform(Schema.Literal(null, ""), Schema.Null, { strict: true, decode: () => null, encode: () => null })
)

const decoders = {
  version: decodeObject(Version),
  nodes: decodeListing(NodeRow),
  nodeStatus: decodeObject(NodeStatus),
  guests: decodeListing(GuestRow),
  guestConfig: decodeObject(WireGuestConfig),
  guestStatus: decodeObject(GuestRow),
  upid: decodeObject(Upid),
  upidOrDone: decodeObject(UpidOrDone),
  feature: decodeObject(Feature),
  tasks: decodeListing(TaskRow),
  taskStatus: decodeObject(TaskStatus),
  taskLog: decodeListing(TaskLogLine),
  storages: decodeListing(StorageRow),
  storageConfig: decodeListing(StorageConfig),
  storageContent: decodeListing(ContentRow),
  disks: decodeListing(DiskRow),
  permissions: decodeObject(Permissions)
} as const

type Decoder<A> = (data: unknown) => Either.Either<A, string>

/** Sends a call and decodes its `data`. After a write, an answer that can't be read leaves open whether it was done. */
const makeCaller = (transport: Transport) => {
  const read = <A>(call: Call, decode: Decoder<A>) => (answer: Answer): Effect.Effect<A, ProxmoxError> =>
    Either.mapLeft(
      decode(answer.data),
      (problem) =>
        transport.failure(
          call,
          call.method === "GET" ? "malformed" : "outcome-unknown",
          `unexpected answer: ${problem}`
        )
    )
  return {
    get: <A>(path: Call["path"], decode: Decoder<A>, parameters: Parameters = {}) => {
      const call: Call = { method: "GET", path, parameters }
      return Effect.flatMap(transport.send(call), read(call, decode))
    },
    write: <A, E = never>(call: Call, decode: Decoder<A>, before?: Effect.Effect<unknown, E>) =>
      Effect.flatMap(transport.send(call, before), read(call, decode))
  }
}

const make = (transport: Transport, settings: ProxmoxSettings): Context.Tag.Service<ProxmoxClient> => {
  const { get, write } = makeCaller(transport)
  const node = ["nodes", settings.node] as const
  const guest = (ref: GuestRef) => [...node, ref.type, ref.vmid] as const
  const destroy = (call: Call, mandate: Mandate, destruction: Destruction) =>
    write(call, decoders.upid, Mandate.redeem(mandate, destruction))

  return {
    node: settings.node,
    tokenId: settings.tokenId,
    version: get(["version"], decoders.version),
    nodes: get(["nodes"], decoders.nodes),
    nodeStatus: get([...node, "status"], decoders.nodeStatus),
    clusterResources: get(["cluster", "resources"], decodeClusterResources),
    guests: (type) => get([...node, type], decoders.guests),
    guestConfig: (ref, options) => get([...guest(ref), "config"], decoders.guestConfig, { ...options }),
    guestStatus: (ref) => get([...guest(ref), "status", "current"], decoders.guestStatus),
    snapshots: (ref) => get([...guest(ref), "snapshot"], decodeSnapshotListing),
    setConfig: (ref, change) => {
      const call: Call = {
        method: "PUT",
        path: [...guest(ref), "config"],
        parameters: {
          ...change.set,
          delete: change.delete === undefined || change.delete.length === 0 ? undefined : change.delete.join(","),
          digest: change.digest
        }
      }
      const refused = needsMandate(change)
      return refused === undefined
        ? write(call, decoders.upidOrDone)
        : Effect.fail(transport.failure(call, "no-mandate", refused))
    },
    createSnapshot: (ref, { description, name }) =>
      write({
        method: "POST",
        path: [...guest(ref), "snapshot"],
        parameters: { snapname: name, description: description === "" ? undefined : description }
      }, decoders.upid),
    deleteSnapshot: (ref, name, mandate) =>
      destroy({ method: "DELETE", path: [...guest(ref), "snapshot", name] }, mandate, {
        op: "snapshot.delete",
        guest: ref,
        snapshot: name
      }),
    rollback: (ref, name, mandate) =>
      destroy({ method: "POST", path: [...guest(ref), "snapshot", name, "rollback"] }, mandate, {
        op: "guest.rollback",
        guest: ref,
        snapshot: name
      }),
    start: (ref) => write({ method: "POST", path: [...guest(ref), "status", "start"] }, decoders.upid),
    shutdown: (ref, options) =>
      write({
        method: "POST",
        path: [...guest(ref), "status", "shutdown"],
        parameters: { timeout: options?.timeoutSeconds }
      }, decoders.upid),
    hasFeature: (ref, feature) =>
      Effect.map(get([...guest(ref), "feature"], decoders.feature, { feature }), (answer) => answer.hasFeature),
    tasks: ({ limit, since, source, type, until, vmid }) =>
      get([...node, "tasks"], decoders.tasks, { source, vmid, typefilter: type, since, until, limit }),
    taskStatus: (upid) => get([...node, "tasks", upid, "status"], decoders.taskStatus),
    taskLog: (upid, { limit, start }) => {
      const call: Call = { method: "GET", path: [...node, "tasks", upid, "log"], parameters: { start, limit } }
      return Effect.flatMap(transport.send(call), (answer) =>
        Either.match(decoders.taskLog(answer.data), {
          onLeft: (problem) => Effect.fail(transport.failure(call, "malformed", `unexpected answer: ${problem}`)),
          onRight: (lines) =>
            Effect.succeed({
              ...lines,
              total: typeof answer.total === "number" ? answer.total : start + lines.rows.length
            })
        }))
    },
    storages: get([...node, "storage"], decoders.storages),
    storageConfig: get(["storage"], decoders.storageConfig),
    storageContent: (storage, filter) =>
      get([...node, "storage", storage, "content"], decoders.storageContent, { ...filter }),
    disks: (options) => get([...node, "disks", "list"], decoders.disks, { skipsmart: options?.skipSmart }),
    permissions: (path) => get(["access", "permissions"], decoders.permissions, { path })
  }
}

/** The only one that talks: over the `HttpClient` it is given, to the host of its config. */
export const layer: Layer.Layer<ProxmoxClient, never, HttpClient.HttpClient | ProxmoxConfig> = Layer.effect(
  ProxmoxClient,
  Effect.gen(function*() {
    const client = yield* HttpClient.HttpClient
    const settings = yield* ProxmoxConfig
    const transport = yield* makeTransport(client, settings)
    return make(transport, settings)
  })
).pipe(Layer.ensureRequirementsType<HttpClient.HttpClient | ProxmoxConfig>())
