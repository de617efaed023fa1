import type { Envelope } from "@felhom/domain/Envelope"
import type { HostId } from "@felhom/domain/HostId"
import { signatureHeader } from "@felhom/domain/HostKey"
import type { HostPrincipal } from "@felhom/domain/HubPrincipal"
import { HubBadReport, type HubForbidden, type HubTooLarge, type HubUnavailable } from "@felhom/domain/HubRefusal"
import { Context, Effect, Layer, Option } from "effect"
import type { IncomingMessage } from "node:http"
import { Ingest } from "./Ingest.ts"
import { ReportAdmission } from "./ReportAdmission.ts"
import { receiveReport } from "./ReportBody.ts"
import { unavailable } from "./Unavailable.ts"

/** From a request with a known token to the envelope: reads the body, admits the report, and stores it. */
export class ReportDesk extends Context.Tag("felhom/hub/ReportDesk")<ReportDesk, {
  /** `hostId` is the one that the request's address names. */
  readonly take: (
    hostId: HostId,
    request: IncomingMessage
  ) => Effect.Effect<Envelope, HubBadReport | HubForbidden | HubTooLarge | HubUnavailable, HostPrincipal>
}>() {}

const make = Effect.gen(function*() {
  const ingest = yield* Ingest
  const admission = yield* ReportAdmission
  return ReportDesk.of({
    take: (hostId, request) =>
      Effect.gen(function*() {
        const received = yield* receiveReport(request)
        const { packed, report } = received
        if (report.host.id !== hostId) {
          return yield* new HubBadReport({
            message: `the report's field host.id is ${report.host.id}, and its address says ${hostId}`
          })
        }
        const header = request.headers[signatureHeader]
        // Node joins what comes several times with commas, which is no signature.
        const signature = yield* admission.admit(received, Array.isArray(header) ? header.join(", ") : header)
        return yield* Effect.catchAll(ingest.accept(report, packed, Option.getOrUndefined(signature)), unavailable)
      })
  })
})

export const layer: Layer.Layer<ReportDesk, never, Ingest | ReportAdmission> = Layer.effect(ReportDesk, make).pipe(
  Layer.ensureRequirementsType<Ingest | ReportAdmission>()
)
