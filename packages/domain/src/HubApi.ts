import {
  HttpApi,
  HttpApiEndpoint,
  HttpApiGroup,
  HttpApiMiddleware,
  HttpApiSchema,
  HttpApiSecurity,
  OpenApi
} from "@effect/platform"
import { Context, Schema } from "effect"
import { Envelope } from "./Envelope.ts"
import { HostEvent } from "./HostEvent.ts"
import { HostId } from "./HostId.ts"
import { HostReport, Inventory, ReportingHost, ReportSections, Samples } from "./HostReport.ts"
import { EpochMillis } from "./Time.ts"

/** No token, or none that this hub knows. */
export class HubUnauthorized extends Schema.TaggedError<HubUnauthorized>()(
  "HubUnauthorized",
  { message: Schema.String },
  HttpApiSchema.annotations({ status: 401 })
) {}

/** The token is good, but not for this. */
export class HubForbidden extends Schema.TaggedError<HubForbidden>()(
  "HubForbidden",
  { message: Schema.String },
  HttpApiSchema.annotations({ status: 403 })
) {}

/** The hub has never heard of it. */
export class HubNotFound extends Schema.TaggedError<HubNotFound>()(
  "HubNotFound",
  { message: Schema.String },
  HttpApiSchema.annotations({ status: 404 })
) {}

/** The body is not a report: it says which field and what was expected. */
export class HubBadReport extends Schema.TaggedError<HubBadReport>()(
  "HubBadReport",
  { message: Schema.String },
  HttpApiSchema.annotations({ status: 400 })
) {}

/** The body, packed or unpacked, is larger than the hub takes. */
export class HubTooLarge extends Schema.TaggedError<HubTooLarge>()(
  "HubTooLarge",
  { message: Schema.String, limitBytes: Schema.Int },
  HttpApiSchema.annotations({ status: 413 })
) {}

/** The hub could not store or read; nothing was acknowledged. */
export class HubUnavailable extends Schema.TaggedError<HubUnavailable>()(
  "HubUnavailable",
  { message: Schema.String },
  HttpApiSchema.annotations({ status: 503 })
) {}

/** The token of a host: bound to one host id by its first report. */
export class HostPrincipal extends Context.Tag("felhom/domain/HostPrincipal")<HostPrincipal, {
  readonly tokenHash: string
  /** Null until the first report binds it. */
  readonly hostId: HostId | null
}>() {}

/** What a person's token allows; each role includes those before it. */
export const OperatorRole = Schema.Literal("viewer", "operator", "admin")
export type OperatorRole = typeof OperatorRole.Type

export class OperatorPrincipal extends Context.Tag("felhom/domain/OperatorPrincipal")<OperatorPrincipal, {
  readonly label: string
  readonly role: OperatorRole
}>() {}

export class HostAuthorization extends HttpApiMiddleware.Tag<HostAuthorization>()("felhom/domain/HostAuthorization", {
  failure: Schema.Union(HubUnauthorized, HubForbidden, HubUnavailable),
  provides: HostPrincipal,
  security: { host: HttpApiSecurity.bearer }
}) {}

export class OperatorAuthorization
  extends HttpApiMiddleware.Tag<OperatorAuthorization>()("felhom/domain/OperatorAuthorization", {
    failure: Schema.Union(HubUnauthorized, HubForbidden, HubUnavailable),
    provides: OperatorPrincipal,
    security: { operator: HttpApiSecurity.bearer }
  })
{}

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
      .addError(HubUnavailable)
      .annotate(OpenApi.Summary, "A host's report in, its envelope out: the only exchange an agent has with its hub")
      .annotate(OpenApi.Description, "The body may be gzip-compressed (Content-Encoding: gzip).")
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
  .prefix("/api/v1")
  .annotate(OpenApi.Title, "felhom hub")
  .annotate(OpenApi.Version, "1")
{}
