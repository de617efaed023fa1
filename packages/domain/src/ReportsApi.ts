import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "@effect/platform"
import { Schema } from "effect"
import { Envelope } from "./Envelope.ts"
import { HostId } from "./HostId.ts"
import { HostReport } from "./HostReport.ts"
import { HostAuthorization } from "./HubPrincipal.ts"
import { HubBadReport, HubForbidden, HubTooLarge, HubTooManyRequests, HubUnavailable } from "./HubRefusal.ts"
import { reportRoute } from "./ReportRoute.ts"

/** The one endpoint that is for hosts in service. */
export const ReportsGroup = HttpApiGroup.make("reports")
  .add(
    HttpApiEndpoint.post("report", reportRoute)
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
