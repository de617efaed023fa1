import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "@effect/platform"
import { Schema } from "effect"
import { DesiredState } from "./DesiredDocument.ts"
import { HostEpoch, HostId } from "./HostId.ts"
import { OperatorAuthorization } from "./HubPrincipal.ts"
import { HubConflict, HubForbidden, HubNotFound, HubUnavailable } from "./HubRefusal.ts"
import { Sha256Hex } from "./Sha256.ts"
import { EpochMillis } from "./Time.ts"

/** For how long a host goes by a desired state that its hub does not renew, in seconds. */
export const goodForBounds = { least: 3600, most: 90 * 86_400, usual: 7 * 86_400 } as const

/** How many applied states a hub keeps of one host. */
export const keptDesired = 50

const GoodFor = Schema.Int.pipe(Schema.between(goodForBounds.least, goodForBounds.most))

/** What an operator wishes a host's guests to be. Closed, as what the host is given is. */
export const DesiredSubmission = Schema.Struct({
  state: DesiredState,
  /** What people call each of its guests, in the same order: for display, never for a decision. */
  called: Schema.Array(Schema.String.pipe(Schema.maxLength(256))),
  /** The version under which the state was applied that this one takes the place of, as it was seen; 0: there was none. */
  after: Schema.NonNegativeInt,
  /** For how long the host goes by it while it hears nothing from its hub, in seconds. */
  goodFor: GoodFor,
  /** Only then may it wish for nothing. */
  allowEmpty: Schema.optionalWith(Schema.Boolean, { default: () => false }),
  /** Why, for those who read it later. */
  reason: Schema.optionalWith(Schema.String.pipe(Schema.maxLength(500)), { default: () => "" })
}).pipe(
  Schema.filter(({ called, state }) =>
    called.length === state.guests.length ? undefined : "called names as many guests as the state has"
  ),
  Schema.annotations({ parseOptions: { onExcessProperty: "error" } })
)
export type DesiredSubmission = typeof DesiredSubmission.Type

/** Who applied something, and when by the hub's clock. `version` is the first under which the host was given it. */
export const DesiredApplication = Schema.Struct({
  version: Schema.Int,
  by: Schema.String,
  at: EpochMillis
})
export type DesiredApplication = typeof DesiredApplication.Type

/** One line of `felhom desired log`. */
export const DesiredEntry = Schema.Struct({
  applied: DesiredApplication,
  reason: Schema.String,
  guests: Schema.Int,
  goodFor: GoodFor
})
export type DesiredEntry = typeof DesiredEntry.Type

/** What the host is given now (`DesiredDocument`), without its state. */
export const PublishedDesired = Schema.Struct({
  epoch: HostEpoch,
  hostEpoch: HostEpoch,
  /** Each renewal has a version of its own, too. */
  version: Schema.Int,
  /** Of its exact bytes: what a host that took it says it holds. */
  sha256: Sha256Hex,
  issued: EpochMillis,
  expires: EpochMillis
})
export type PublishedDesired = typeof PublishedDesired.Type

/** What is wished for a host now. */
export const DesiredDetail = Schema.Struct({
  entry: DesiredEntry,
  published: PublishedDesired,
  /** The exact bytes that the host is given, in base64: whoever shows the state holds it against these, and their hash. */
  document: Schema.String,
  state: DesiredState,
  /** For each guest of the state, in the same order: what people call it, and since when exactly this is wished for it. */
  wishes: Schema.Array(Schema.Struct({ called: Schema.String, since: DesiredApplication }))
})
export type DesiredDetail = typeof DesiredDetail.Type

const hostPath = Schema.Struct({ hostId: HostId })

/** What operators wish hosts to be: published by the hub, signed by nobody, so it can express only what may be undone. */
export const DesiredGroup = HttpApiGroup.make("desired")
  .add(
    HttpApiEndpoint.post("apply", "/hosts/:hostId/desired")
      .setPath(hostPath)
      .setPayload(DesiredSubmission)
      .addSuccess(DesiredDetail)
      .addError(HubForbidden)
      .addError(HubNotFound)
      .addError(HubConflict)
      .addError(HubUnavailable)
      .annotate(
        OpenApi.Summary,
        "Publish what a host's guests should be, in place of what was published before (operator)"
      )
  )
  .add(
    HttpApiEndpoint.get("present", "/hosts/:hostId/desired")
      .setPath(hostPath)
      .addSuccess(Schema.NullOr(DesiredDetail))
      .addError(HubUnavailable)
      .annotate(OpenApi.Summary, "What a host's guests should be, and who applied it when; null where nobody did")
  )
  .add(
    HttpApiEndpoint.get("log", "/hosts/:hostId/desired/log")
      .setPath(hostPath)
      .addSuccess(Schema.Array(DesiredEntry))
      .addError(HubUnavailable)
      .annotate(OpenApi.Summary, "Who applied what for a host, newest first")
  )
  .middleware(OperatorAuthorization)
