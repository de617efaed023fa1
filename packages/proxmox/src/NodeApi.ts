import type { Vmid } from "@felhom/domain/ProxmoxId"
import { Effect } from "effect"
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
  plainThinPoolRow,
  SmartReading,
  ThinPoolRow,
  Version
} from "./NodeRows.ts"
import type { ProxmoxError } from "./ProxmoxError.ts"
import { WireNumber } from "./Wire.ts"

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
  /** Whether no guest of the cluster has the number, those included that the token may not see. @see platform-facts 1.1 */
  readonly vmidIsFree: (vmid: Vmid) => Effect.Effect<boolean, ProxmoxError>
  /** @see platform-facts 1.1 */
  readonly nodeStatus: Effect.Effect<NodeStatus, ProxmoxError>
  /** @see platform-facts 1.1 */
  readonly nodeTime: Effect.Effect<NodeTime, ProxmoxError>
  /** The certificate files of the node, its own authority's among them. @see platform-facts 3.6 */
  readonly certificates: Effect.Effect<Listing<CertificateRow>, ProxmoxError>
  /** `health` and `wearout` take smartctl some time for each disk; with `skipSmart` they are left unknown. @see platform-facts 1.8 */
  readonly disks: (options?: { readonly skipSmart?: boolean }) => Effect.Effect<Listing<DiskRow>, ProxmoxError>
  /** The thin pools of LVM on the node, whichever storage is on them; needs Sys.Audit on `/`. @see platform-facts 1.8 */
  readonly thinPools: Effect.Effect<Listing<ThinPoolRow>, ProxmoxError>
  /** `devicePath` as the list of disks gives it (`/dev/sda`); needs Sys.Audit on `/`. @see platform-facts 1.8 */
  readonly smart: (
    devicePath: string,
    options?: { readonly healthOnly?: boolean }
  ) => Effect.Effect<SmartReading, ProxmoxError>
}

const version = decodeObject(Version)
const freeVmid = decodeObject(WireNumber)
const nodes = decodeListing(NodeRow)
const clusterStatus = decodeListing(ClusterStatusRow)
const status = decodeObject(NodeStatus, plainNodeStatus)
const time = decodeObject(NodeTime)
const certificates = decodeListing(CertificateRow)
const disks = decodeListing(DiskRow)
const thinPools = decodeListing(ThinPoolRow, { plain: plainThinPoolRow })
const smart = decodeObject(SmartReading)

export const makeNodeApi = ({ get, node }: Caller): NodeApi => ({
  version: get(["version"], version),
  nodes: get(["nodes"], nodes),
  clusterStatus: get(["cluster", "status"], clusterStatus),
  clusterResources: get(["cluster", "resources"], decodeClusterResources),
  vmidIsFree: (vmid) =>
    Effect.catchIf(
      Effect.as(get(["cluster", "nextid"], freeVmid, { vmid }), true),
      ({ reason }) => reason === "already-exists",
      () => Effect.succeed(false)
    ),
  nodeStatus: get([...node, "status"], status),
  nodeTime: get([...node, "time"], time),
  certificates: get([...node, "certificates", "info"], certificates),
  disks: (options) => get([...node, "disks", "list"], disks, { skipsmart: options?.skipSmart }),
  thinPools: get([...node, "disks", "lvmthin"], thinPools),
  smart: (devicePath, options) =>
    get([...node, "disks", "smart"], smart, { disk: devicePath, healthonly: options?.healthOnly })
})
