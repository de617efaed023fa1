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
import { SignersChain } from "./SignersChain.ts"
import { unavailable } from "./Unavailable.ts"

/** From a request with a known token to the envelope: reads the body, admits the report, and stores it. */
export class ReportDesk extends Context.Tag("felhom/hub/ReportDesk")<ReportDesk, {
  /** `hostId` is the one that the request's address names, `principal` whose token came with it. */
  readonly take: (
    hostId: HostId,
    request: IncomingMessage,
    principal: typeof HostPrincipal.Service
  ) => Effect.Effect<Envelope, HubBadReport | HubForbidden | HubTooLarge | HubUnavailable>
}>() {}

const make = Effect.gen(function*() {
  const ingest = yield* Ingest
  const ops = yield* OpQueue
  const signers = yield* SignersChain
  const admission = yield* ReportAdmission

  const admitted = (
    received: ReceivedReport,
    header: string | undefined,
    principal: typeof HostPrincipal.Service
  ): Effect.Effect<Envelope, HubForbidden | HubUnavailable> => {
    const { packed, plain, report } = received
    return Effect.flatMap(
      admission.admit(received, header, principal),
      (signature) =>
        ingest.accept(report, packed, Option.getOrUndefined(signature)).pipe(
          // Only once its events are stored; an answer that fails here brings the same report again.
          Effect.flatMap((envelope) =>
            ops.exchange(report, { plain, packed, signature: Option.getOrNull(signature) }, envelope)
          ),
          Effect.flatMap((envelope) => signers.exchange(report, envelope)),
          Effect.catchAll(unavailable)
        )
    )
  }

  return ReportDesk.of({
    take: (hostId, request, principal) => {
      const header = request.headers[signatureHeader]
      // Node joins what comes several times with commas, which is no signature.
      const signature = Array.isArray(header) ? header.join(", ") : header
      return Effect.flatMap(
        receiveReport(request),
        (received): Effect.Effect<Envelope, HubBadReport | HubForbidden | HubUnavailable> => {
          const { id } = received.report.host
          return id === hostId
            ? admitted(received, signature, principal)
            : new HubBadReport({ message: `the report's field host.id is ${id}, and its address says ${hostId}` })
        }
      )
    }
  })
})

export const layer: Layer.Layer<ReportDesk, never, Ingest | OpQueue | ReportAdmission | SignersChain> = Layer.effect(
  ReportDesk,
  make
)
  .pipe(
    Layer.ensureRequirementsType<Ingest | OpQueue | ReportAdmission | SignersChain>()
  )
