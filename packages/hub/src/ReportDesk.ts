import type { Envelope } from "@felhom/domain/Envelope"
import type { HostId } from "@felhom/domain/HostId"
import { signatureHeader } from "@felhom/domain/HostKey"
import type { HostPrincipal } from "@felhom/domain/HubPrincipal"
import {
  HubBadReport,
  type HubForbidden,
  type HubTooLarge,
  type HubUnauthorized,
  type HubUnavailable
} from "@felhom/domain/HubRefusal"
import { Context, Effect, Layer, Option } from "effect"
import type { IncomingMessage } from "node:http"
import { DesiredBook } from "./DesiredBook.ts"
import { Ingest } from "./Ingest.ts"
import { OpQueue } from "./OpQueue.ts"
import { ReportAdmission } from "./ReportAdmission.ts"
import { type ReceivedReport, receiveReport } from "./ReportBody.ts"
import { SignersChain } from "./SignersChain.ts"
import type { StoreStamp } from "./StoreWriter.ts"
import { unavailable } from "./Unavailable.ts"

/** Whose token came with a request. */
export interface Sender {
  readonly principal: typeof HostPrincipal.Service
  /**
   * Where the token was looked up among what is remembered: the store's stamp then, and who it is when that is looked up again.
   * Null: it was read from the store.
   */
  readonly remembered: {
    readonly stamp: StoreStamp
    readonly again: Effect.Effect<Sender, HubUnauthorized | HubForbidden | HubUnavailable>
  } | null
}

type Refused = HubBadReport | HubForbidden | HubTooLarge | HubUnauthorized | HubUnavailable

/** From a request with a known token to the envelope: reads the body, admits the report, and stores it. */
export class ReportDesk extends Context.Tag("felhom/hub/ReportDesk")<ReportDesk, {
  /** `hostId` is the one that the request's address names. */
  readonly take: (hostId: HostId, request: IncomingMessage, sender: Sender) => Effect.Effect<Envelope, Refused>
}>() {}

const make = Effect.gen(function*() {
  const ingest = yield* Ingest
  const ops = yield* OpQueue
  const signers = yield* SignersChain
  const desired = yield* DesiredBook
  const admission = yield* ReportAdmission

  const stored = (
    { packed, report }: ReceivedReport,
    signature: string | undefined,
    { remembered }: Sender
  ) =>
    remembered === null
      ? ingest.accept(report, packed, signature)
      : ingest.acceptIfUnchanged(remembered.stamp, report, packed, signature)

  const admitted = (
    received: ReceivedReport,
    header: string | undefined,
    sender: Sender
  ): Effect.Effect<Envelope, HubForbidden | HubUnauthorized | HubUnavailable> => {
    const { packed, plain, report } = received
    return Effect.flatMap(
      admission.admit(received, header, sender.principal),
      (signature) =>
        stored(received, Option.getOrUndefined(signature), sender).pipe(
          // Only once its events are stored; an answer that fails here brings the same report again.
          Effect.flatMap((envelope) =>
            ops.exchange(report, { plain, packed, signature: Option.getOrNull(signature) }, envelope)
          ),
          Effect.flatMap((envelope) => signers.exchange(report, envelope)),
          Effect.flatMap((envelope) => desired.exchange(report, envelope)),
          Effect.catchAll((error) => {
            if (error._tag === "StoreError") return unavailable(error)
            // Nothing was stored, as its token may be revoked by now.
            return sender.remembered === null
              ? Effect.die(error)
              : Effect.flatMap(sender.remembered.again, (anew) => admitted(received, header, anew))
          })
        )
    )
  }

  return ReportDesk.of({
    take: (hostId, request, sender) => {
      const header = request.headers[signatureHeader]
      // Node joins what comes several times with commas, which is no signature.
      const signature = Array.isArray(header) ? header.join(", ") : header
      return Effect.flatMap(
        receiveReport(request),
        (received): Effect.Effect<Envelope, Refused> => {
          const { id } = received.report.host
          return id === hostId
            ? admitted(received, signature, sender)
            : new HubBadReport({ message: `the report's field host.id is ${id}, and its address says ${hostId}` })
        }
      )
    }
  })
})

export const layer: Layer.Layer<
  ReportDesk,
  never,
  DesiredBook | Ingest | OpQueue | ReportAdmission | SignersChain
> = Layer.effect(ReportDesk, make).pipe(
  Layer.ensureRequirementsType<DesiredBook | Ingest | OpQueue | ReportAdmission | SignersChain>()
)
