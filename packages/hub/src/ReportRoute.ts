import { HttpApiSchema } from "@effect/platform"
import type { Envelope } from "@felhom/domain/Envelope"
import { HostId } from "@felhom/domain/HostId"
import {
  HubBadReport,
  HubForbidden,
  HubTooLarge,
  HubTooManyRequests,
  HubUnauthorized,
  HubUnavailable
} from "@felhom/domain/HubRefusal"
import { Cause, Effect, Option, Redacted, Runtime, Schema } from "effect"
import type { IncomingMessage, ServerResponse } from "node:http"
import { hostPrincipal } from "./Authorization.ts"
import { Database } from "./Database.ts"
import { RateLimit, tokenAllowance } from "./RateLimit.ts"
import { ReportDesk, type Sender } from "./ReportDesk.ts"
import { TokenStore } from "./TokenStore.ts"

// The one request that comes all the time, answered without the HTTP framework, whose way costs more than the report itself.
// It answers what the endpoint that HubApi declares answers, which stands behind it: a request that is anything but the
// ordinary case (an address that is written otherwise, a host id that is none) goes there.

/** Answers a request, or leaves it alone and says so. */
export type Route = (request: IncomingMessage, response: ServerResponse) => boolean

const address = /^\/api\/v1\/hosts\/([0-9a-f]{32})\/report$/

const Refusal = Schema.Union(
  HubUnauthorized,
  HubForbidden,
  HubBadReport,
  HubTooLarge,
  HubTooManyRequests,
  HubUnavailable
)
type Refusal = typeof Refusal.Type

const statuses: { readonly [tag in Refusal["_tag"]]: number } = {
  HubUnauthorized: HttpApiSchema.getStatusError(HubUnauthorized),
  HubForbidden: HttpApiSchema.getStatusError(HubForbidden),
  HubBadReport: HttpApiSchema.getStatusError(HubBadReport),
  HubTooLarge: HttpApiSchema.getStatusError(HubTooLarge),
  HubTooManyRequests: HttpApiSchema.getStatusError(HubTooManyRequests),
  HubUnavailable: HttpApiSchema.getStatusError(HubUnavailable)
}

const encodeRefusal = Schema.encodeSync(Refusal)

const send = (
  response: ServerResponse,
  status: number,
  body: string,
  more: { readonly [name: string]: string } = {}
) => {
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    ...more
  })
  response.end(body)
}

const refuse = (response: ServerResponse, refusal: Refusal): void =>
  send(
    response,
    statuses[refusal._tag],
    JSON.stringify(encodeRefusal(refusal)),
    refusal._tag === "HubTooManyRequests" ? { "retry-after": String(refusal.retryAfterSeconds) } : {}
  )

/** The same as the framework's security scheme reads. */
const bearerOf = ({ headers: { authorization = "" } }: IncomingMessage): Redacted.Redacted =>
  Redacted.make(authorization.slice("Bearer ".length))

export const make: Effect.Effect<Route, never, Database | ReportDesk | TokenStore | RateLimit> = Effect.gen(
  function*() {
    const { stamp } = yield* Database
    const desk = yield* ReportDesk
    const { findRemembered } = yield* TokenStore
    const limits = yield* RateLimit
    const run = Runtime.runFork(yield* Effect.runtime<never>())

    // Its token's row was read for each report, which cost a tenth of it.
    const senderOf = (
      bearer: Redacted.Redacted
    ): Effect.Effect<Sender, HubUnauthorized | HubForbidden | HubUnavailable> =>
      Effect.suspend(() => {
        const seen = stamp()
        return Effect.map(hostPrincipal(findRemembered, bearer), (principal) => ({
          principal,
          remembered: { stamp: seen, again: senderOf(bearer) }
        }))
      })

    const answer = (hostId: HostId, request: IncomingMessage): Effect.Effect<Envelope, Refusal> =>
      Effect.flatMap(senderOf(bearerOf(request)), (sender) =>
        Effect.zipRight(
          limits.take(sender.principal.tokenHash, tokenAllowance),
          desk.take(hostId, request, sender)
        ))

    const failed = (response: ServerResponse, cause: Cause.Cause<Refusal>) =>
      Option.match(Cause.failureOption(cause), {
        onSome: (refusal) => {
          refuse(response, refusal)
          return Effect.void
        },
        // Nobody is told of a fault but the hub's own log.
        onNone: () =>
          Cause.isInterruptedOnly(cause) ? Effect.void : Effect.zipRight(
            Effect.logError("a report was not answered, over a fault of the hub's own", cause),
            Effect.sync(() => response.writeHead(500).end())
          )
      })

    return (request, response) => {
      const [, id] = request.method === "POST" ? address.exec(request.url ?? "") ?? [] : []
      if (id === undefined) return false
      // The id was read by the pattern that ids have.
      const fiber = run(
        Effect.matchCauseEffect(answer(HostId.make(id, true), request), {
          onSuccess: (envelope) => {
            send(response, 200, JSON.stringify(envelope))
            return Effect.void
          },
          onFailure: (cause) => failed(response, cause)
        })
      )
      response.on("close", () => {
        if (!response.writableEnded) fiber.unsafeInterruptAsFork(fiber.id())
      })
      return true
    }
  }
)
