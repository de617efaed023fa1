import { HttpApp, HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { HostPrincipal } from "@felhom/domain/HubPrincipal"
import type { HubTooManyRequests } from "@felhom/domain/HubRefusal"
import { Effect, Option } from "effect"
import { addressAllowance, type Allowance, RateLimit, tokenAllowance } from "./RateLimit.ts"

const limited = (sender: string, allowance: Allowance): Effect.Effect<void, HubTooManyRequests, RateLimit> =>
  Effect.tapError(
    Effect.flatMap(RateLimit, (limits) => limits.take(sender, allowance)),
    ({ retryAfterSeconds }) =>
      HttpApp.appendPreResponseHandler((_, response) =>
        Effect.succeed(HttpServerResponse.setHeader(response, "retry-after", String(retryAfterSeconds)))
      )
  )

/** Takes one request out of the bucket of the host's token; the answer to one too many says when to come again. */
export const limitedByToken: Effect.Effect<void, HubTooManyRequests, RateLimit | HostPrincipal> = Effect.flatMap(
  HostPrincipal,
  ({ tokenHash }) => limited(tokenHash, tokenAllowance)
)

/** The same for who has no token yet, by the address that the connection comes from. */
export const limitedByAddress: Effect.Effect<
  void,
  HubTooManyRequests,
  RateLimit | HttpServerRequest.HttpServerRequest
> = Effect.flatMap(
  HttpServerRequest.HttpServerRequest,
  ({ remoteAddress }) => limited(`address ${Option.getOrElse(remoteAddress, () => "unknown")}`, addressAllowance)
)
