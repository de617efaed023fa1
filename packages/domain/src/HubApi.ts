import { HttpApi, HttpApiEndpoint, HttpApiGroup, OpenApi } from "@effect/platform"
import { Schema } from "effect"
import { AdministrationGroup, EnrolmentGroup } from "./EnrolmentApi.ts"
import { Envelope, SignedBytes } from "./Envelope.ts"
import { HostEvent } from "./HostEvent.ts"
import { HostId } from "./HostId.ts"
import { HostReport, Inventory, ReportingHost, ReportSections, Samples } from "./HostReport.ts"
import { HostAuthorization, OperatorAuthorization } from "./HubPrincipal.ts"
import {
  HubBadReport,
  HubForbidden,
  HubNotFound,
  HubTooLarge,
  HubTooManyRequests,
  HubUnavailable
} from "./HubRefusal.ts"
import { EpochMillis } from "./Time.ts"

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
  /** What needs a person, worst first; empty when all is well. */
  attention: Schema.Array(Schema.String)
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

const HealthGroup = HttpApiGroup.make("health")
  .add(
    HttpApiEndpoint.get("health", "/health")
      .addSuccess(Schema.Struct({ version: Schema.String, storeEpoch: Schema.String }))
      .addError(HubUnavailable)
      .annotate(OpenApi.Summary, "Whether the hub is up, and which incarnation of its store it serves")
  )

const ReportsGroup = HttpApiGroup.make("reports")
  .add(
    HttpApiEndpoint.post("report", "/hosts/:hostId/report")
      .setPath(hostPath)
      .setPayload(HostReport)
      .addSuccess(Envelope)
      .addError(HubBadReport)
      .addError(HubForbidden)
      .addError(HubTooLarge)
      .addError(HubTooManyRequests)
      .addError(HubUnavailable)
      .annotate(OpenApi.Summary, "A host's report in, its envelope out: the only exchange an agent has with its hub")
      .annotate(
        OpenApi.Description,
        "The body may be gzip-compressed (Content-Encoding: gzip). Felhom-Signature carries the host's SSHSIG over the " +
          "unpacked body, as the blob in base64; a host whose key is pinned must send it."
      )
  )
  .middleware(HostAuthorization)

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
  .prefix("/api/v1")
  .annotate(OpenApi.Title, "felhom hub")
  .annotate(OpenApi.Version, "1")
{}
