import type { Envelope } from "@felhom/domain/Envelope"
import type { HostId } from "@felhom/domain/HostId"
import { signatureHeader } from "@felhom/domain/HostKey"
import type { HostPrincipal } from "@felhom/domain/HubPrincipal"
import { HubBadReport, type HubForbidden, type HubTooLarge, type HubUnavailable } from "@felhom/domain/HubRefusal"
import { Context, Effect, Layer, Option } from "effect"
import type { IncomingMessage } from "node:http"
import { Ingest } from "./Ingest.ts"
import { OpQueue } from "./OpQueue.ts"
import { ReportAdmission } from "./ReportAdmission.ts"
import { type ReceivedReport, receiveReport } from "./ReportBody.ts"
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
  const ops = yield* OpQueue
  const admission = yield* ReportAdmission

  const admitted = (
    received: ReceivedReport,
    header: string | undefined
  ): Effect.Effect<Envelope, HubForbidden | HubUnavailable, HostPrincipal> => {
    const { packed, report } = received
    return Effect.flatMap(
      admission.admit(received, header),
      (signature) =>
        ingest.accept(report, packed, Option.getOrUndefined(signature)).pipe(
          // Only once its events are stored; an answer that fails here brings the same report again.
          Effect.flatMap((envelope) => ops.exchange(report, envelope)),
          Effect.catchAll(unavailable)
        )
    )
  }

  return ReportDesk.of({
    take: (hostId, request) => {
      const header = request.headers[signatureHeader]
      // Node joins what comes several times with commas, which is no signature.
      const signature = Array.isArray(header) ? header.join(", ") : header
      return Effect.flatMap(
        Effect.filterOrFail(
          receiveReport(request),
          ({ report }) => report.host.id === hostId,
          ({ report }) =>
            new HubBadReport({
              message: `the report's field host.id is ${report.host.id}, and its address says ${hostId}`
            })
        ),
        (received) => admitted(received, signature)
      )
    }
  })
})

export const layer: Layer.Layer<ReportDesk, never, Ingest | OpQueue | ReportAdmission> = Layer.effect(ReportDesk, make)
  .pipe(
    Layer.ensureRequirementsType<Ingest | OpQueue | ReportAdmission>()
  )
