import { HttpApi, HttpApiEndpoint, HttpApiGroup, OpenApi } from "@effect/platform"
import { Schema } from "effect"
import { Envelope } from "./Envelope.ts"
import { HostId } from "./HostId.ts"
import { HostReport } from "./HostReport.ts"
import { HostAuthorization } from "./HubPrincipal.ts"
import { HubBadReport, HubForbidden, HubTooLarge, HubTooManyRequests, HubUnavailable } from "./HubRefusal.ts"

/** Where everything of the hub's API is. */
export const apiPrefix = "/api/v1"

/** The one endpoint that is for hosts in service. */
export const ReportsGroup = HttpApiGroup.make("reports")
  .add(
    HttpApiEndpoint.post("report", "/hosts/:hostId/report")
      .setPath(Schema.Struct({ hostId: HostId }))
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

/**
 * What a host in service needs of the hub's API, which `HubApi` holds too: a client that is derived from this is the same, and
 * the agent need not carry the declarations that are for people.
 */
export class ReportsApi extends HttpApi.make("felhom-hub").add(ReportsGroup).prefix(apiPrefix) {}
