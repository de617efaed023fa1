import type { Effect } from "effect"
import type { Caller } from "./Caller.ts"
import { type ClusterResources, decodeClusterResources } from "./ClusterResources.ts"
import { decodeListing, decodeObject, type Listing } from "./Listing.ts"
import {
  CertificateRow,
  ClusterStatusRow,
  DiskRow,
  NodeRow,
  NodeStatus,
  NodeTime,
  plainNodeStatus,
  SmartReading,
  Version
} from "./NodeRows.ts"
import type { ProxmoxError } from "./ProxmoxError.ts"

/** The node itself, and the cluster that it may be part of. @see platform-facts 1.1, 1.8 */
export interface NodeApi {
  /** @see platform-facts 1.1 */
  readonly version: Effect.Effect<Version, ProxmoxError>
  /** Every node of the cluster. @see platform-facts 1.1 */
  readonly nodes: Effect.Effect<Listing<NodeRow>, ProxmoxError>
  /** A single host has one row, of itself, and none of type `cluster`; needs Sys.Audit on `/`. @see platform-facts 1.1 */
  readonly clusterStatus: Effect.Effect<Listing<ClusterStatusRow>, ProxmoxError>
  /** Guests, nodes and storages of the whole cluster in one call, about 10 s old. @see platform-facts 1.1 */
  readonly clusterResources: Effect.Effect<ClusterResources, ProxmoxError>
  /** @see platform-facts 1.1 */
  readonly nodeStatus: Effect.Effect<NodeStatus, ProxmoxError>
  /** @see platform-facts 1.1 */
  readonly nodeTime: Effect.Effect<NodeTime, ProxmoxError>
  /** The certificate files of the node, its own authority's among them. @see platform-facts 3.6 */
  readonly certificates: Effect.Effect<Listing<CertificateRow>, ProxmoxError>
  /** `health` and `wearout` take smartctl some time for each disk; with `skipSmart` they are left unknown. @see platform-facts 1.8 */
  readonly disks: (options?: { readonly skipSmart?: boolean }) => Effect.Effect<Listing<DiskRow>, ProxmoxError>
  /** `devicePath` as the list of disks gives it (`/dev/sda`); needs Sys.Audit on `/`. @see platform-facts 1.8 */
  readonly smart: (
    devicePath: string,
    options?: { readonly healthOnly?: boolean }
  ) => Effect.Effect<SmartReading, ProxmoxError>
}

const version = decodeObject(Version)
const nodes = decodeListing(NodeRow)
const clusterStatus = decodeListing(ClusterStatusRow)
const status = decodeObject(NodeStatus, plainNodeStatus)
const time = decodeObject(NodeTime)
const certificates = decodeListing(CertificateRow)
const disks = decodeListing(DiskRow)
const smart = decodeObject(SmartReading)

export const makeNodeApi = ({ get, node }: Caller): NodeApi => ({
  version: get(["version"], version),
  nodes: get(["nodes"], nodes),
  clusterStatus: get(["cluster", "status"], clusterStatus),
  clusterResources: get(["cluster", "resources"], decodeClusterResources),
  nodeStatus: get([...node, "status"], status),
  nodeTime: get([...node, "time"], time),
  certificates: get([...node, "certificates", "info"], certificates),
  disks: (options) => get([...node, "disks", "list"], disks, { skipsmart: options?.skipSmart }),
  smart: (devicePath, options) =>
    get([...node, "disks", "smart"], smart, { disk: devicePath, healthonly: options?.healthOnly })
})
