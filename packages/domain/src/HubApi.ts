import { HttpApi, HttpApiEndpoint, HttpApiGroup, OpenApi } from "@effect/platform"
import { Schema } from "effect"
import { AlarmGroup } from "./AlarmApi.ts"
import { DesiredGroup } from "./DesiredApi.ts"
import { AdministrationGroup, EnrolmentGroup } from "./EnrolmentApi.ts"
import { SignedBytes } from "./Envelope.ts"
import { HostEvent } from "./HostEvent.ts"
import { HostHistory } from "./HostHistory.ts"
import { HostId } from "./HostId.ts"
import { Inventory, ReportingHost, ReportSections, Samples } from "./HostReport.ts"
import { OperatorAuthorization } from "./HubPrincipal.ts"
import { HubNotFound, HubUnavailable } from "./HubRefusal.ts"
import { OpsGroup } from "./OpsApi.ts"
import { apiPrefix } from "./ReportRoute.ts"
import { ReportsGroup } from "./ReportsApi.ts"
import { SignersGroup } from "./SignersApi.ts"
import { EpochMillis } from "./Time.ts"

/** How far a host is with its fleet's signers, as the hub heard it. */
export const SignersStanding = Schema.Struct({
  /** The version that the host says it took last; 0 when it took none. */
  version: Schema.Int,
  /** The last one that the hub hands out. */
  latest: Schema.Int,
  /** Whether the hub has a version that continues from what the host has. */
  continues: Schema.Boolean
})
export type SignersStanding = typeof SignersStanding.Type

/** How a host stands to what is wished for it, by its own word as the hub heard it. */
export const DesiredStanding = Schema.Struct({
  /** The version that the host goes by; 0 when it took none of this store's. */
  version: Schema.Int,
  /** The one that the hub hands out; null when nothing is wished for it here. */
  latest: Schema.NullOr(Schema.Int),
  stale: Schema.Boolean,
  /** How many differences it told, and how many of them it will not put right. Null: it held nothing against the wish. */
  drift: Schema.NullOr(Schema.Int),
  blocked: Schema.Int
})
export type DesiredStanding = typeof DesiredStanding.Type

/** One line of `felhom hosts`. */
export const HostSummary = Schema.Struct({
  host: ReportingHost,
  /** Of the report that is shown; null while the host has sent nothing but one-off reports. */
  sequence: Schema.NullOr(Schema.Int),
  /** By the hub's clock. */
  firstSeen: EpochMillis,
  lastSeen: EpochMillis,
  /** By the host's clock. */
  takenAt: EpochMillis,
  /** Late: the next report is overdue; silent: nothing came for more than three of the intervals that the hub asked for. */
  presence: Schema.Literal("online", "late", "silent"),
  /** When a one-off report (`selftest hub`) came last, by the hub's clock; null when none ever did. */
  lastSelftest: Schema.NullOr(EpochMillis),
  /** Templates are not counted. Null while the host can't say. */
  guests: Schema.NullOr(Schema.Struct({ total: Schema.Int, running: Schema.Int })),
  /** Disabled ones are not counted. Null while the host can't say. */
  storages: Schema.NullOr(Schema.Struct({ total: Schema.Int, active: Schema.Int })),
  /** Stored events of the present host epoch. */
  events: Schema.Int,
  /** Event numbers that never arrived: none is what every operator wants to see. */
  eventsMissing: Schema.Int,
  /** Events that went to the hub's store between the backup that it was restored from and that restore: they are not here. */
  eventsBeforeRestore: Schema.optionalWith(Schema.Int, { default: () => 0 }),
  /** What needs a person, worst first; empty when all is well. */
  attention: Schema.Array(Schema.String),
  /** What somebody acknowledged, and who, for as long as that holds. */
  acknowledged: Schema.optionalWith(Schema.Array(Schema.String), { default: () => [] }),
  /** When the host was retired: it is expected no more. Null while it is in service. */
  retiredAt: Schema.optionalWith(Schema.NullOr(EpochMillis), { default: () => null }),
  /** Null while it is in step with the fleet's signers, or follows none. */
  signersBehind: Schema.optionalWith(Schema.NullOr(SignersStanding), { default: () => null }),
  /** Null while nothing is wished for it, and it holds nothing. */
  desired: Schema.optionalWith(Schema.NullOr(DesiredStanding), { default: () => null })
})
export type HostSummary = typeof HostSummary.Type

/** One host with all that its last reports said. */
export const HostDetail = Schema.Struct({
  summary: HostSummary,
  inventory: Schema.NullOr(Inventory),
  samples: Samples,
  sections: ReportSections
})
export type HostDetail = typeof HostDetail.Type

/**
 * A host's last reports as they came, for whoever believes the host and not the hub: `report` is what the host said last, and
 * `inventory` the report that brought the inventory with the hash which `report` names (null when no report ever did, and the
 * same as `report` when that one brought it). `signatures` holds the host's armored SSHSIG, or nothing when it did not sign.
 */
export const SignedReports = Schema.Struct({
  report: SignedBytes,
  inventory: Schema.NullOr(SignedBytes)
})
export type SignedReports = typeof SignedReports.Type

const hostPath = Schema.Struct({ hostId: HostId })

/** What a hub says of itself to whoever asks. */
export const HubHealth = Schema.Struct({
  version: Schema.String,
  storeEpoch: Schema.String,
  /** When the store was restored from a backup, and when that backup was made; absent when it never was. */
  restoredAt: Schema.optional(EpochMillis),
  backupMadeAt: Schema.optional(EpochMillis),
  /** Whether people are told of alarms: `none` when no channel is set up, `failing` when nothing gets through one of them. */
  notices: Schema.optional(Schema.Literal("none", "ok", "failing"))
})
export type HubHealth = typeof HubHealth.Type

const HealthGroup = HttpApiGroup.make("health")
  .add(
    HttpApiEndpoint.get("health", "/health")
      .addSuccess(HubHealth)
      .addError(HubUnavailable)
      .annotate(OpenApi.Summary, "Whether the hub is up, and which incarnation of its store it serves")
  )

const HostsGroup = HttpApiGroup.make("hosts")
  .add(
    HttpApiEndpoint.get("list", "/hosts")
      .addSuccess(Schema.Array(HostSummary))
      .addError(HubUnavailable)
      .annotate(OpenApi.Summary, "All hosts, those that need attention first")
  )
  .add(
    HttpApiEndpoint.get("get", "/hosts/:hostId")
      .setPath(hostPath)
      .addSuccess(HostDetail)
      .addError(HubNotFound)
      .addError(HubUnavailable)
      .annotate(OpenApi.Summary, "One host with its guests, storages, disks and samples")
  )
  .add(
    HttpApiEndpoint.get("report", "/hosts/:hostId/report")
      .setPath(hostPath)
      .addSuccess(SignedReports)
      .addError(HubNotFound)
      .addError(HubUnavailable)
      .annotate(OpenApi.Summary, "What the host itself said last, byte for byte, with its signature")
  )
  .add(
    HttpApiEndpoint.get("events", "/hosts/:hostId/events")
      .setPath(hostPath)
      .setUrlParams(Schema.Struct({
        after: Schema.optionalWith(Schema.NumberFromString.pipe(Schema.int(), Schema.nonNegative()), {
          default: () => 0
        }),
        limit: Schema.optionalWith(Schema.NumberFromString.pipe(Schema.int(), Schema.between(1, 1000)), {
          default: () => 100
        })
      }))
      .addSuccess(Schema.Array(HostEvent))
      .addError(HubNotFound)
      .addError(HubUnavailable)
      .annotate(OpenApi.Summary, "The events of a host's present epoch in their order, oldest first")
  )
  .add(
    HttpApiEndpoint.get("history", "/hosts/:hostId/history")
      .setPath(hostPath)
      .setUrlParams(Schema.Struct({
        since: Schema.NumberFromString.pipe(Schema.int(), Schema.nonNegative(), Schema.brand("EpochMillis"))
      }))
      .addSuccess(HostHistory)
      .addError(HubNotFound)
      .addError(HubUnavailable)
      .annotate(
        OpenApi.Summary,
        "A host's load and the use of its storages since a moment, in spans that grow with the age"
      )
  )
  .middleware(OperatorAuthorization)

/**
 * The hub's HTTP API, declared once: the hub serves it, the agent's HubClient and the operator's CLI are derived from it, and
 * so is the OpenAPI page on the hub.
 */
export class HubApi extends HttpApi.make("felhom-hub")
  .add(HealthGroup)
  .add(ReportsGroup)
  .add(HostsGroup)
  .add(EnrolmentGroup)
  .add(AdministrationGroup)
  .add(AlarmGroup)
  .add(OpsGroup)
  .add(SignersGroup)
  .add(DesiredGroup)
  .prefix(apiPrefix)
  .annotate(OpenApi.Title, "felhom hub")
  .annotate(OpenApi.Version, "1")
{}
