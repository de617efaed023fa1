import { HttpApiClient, HttpClient } from "@effect/platform"
import type { EnrolmentAnswer, EnrolmentClaim, EnrolmentRequest } from "@felhom/domain/EnrolmentApi"
import { HubApi } from "@felhom/domain/HubApi"
import { pinMismatchOf } from "@felhom/domain/PeerPin"
import { Context, Effect, Layer } from "effect"
import { EnrolmentError } from "./EnrolmentError.ts"

/** What a host without a Bearer may ask of its hub (protocol 1). */
export class EnrolmentClient extends Context.Tag("felhom/hub-client/EnrolmentClient")<EnrolmentClient, {
  readonly ask: (request: EnrolmentRequest) => Effect.Effect<"waiting" | "accepted", EnrolmentError>
  readonly challenge: Effect.Effect<string, EnrolmentError>
  readonly claim: (claim: EnrolmentClaim) => Effect.Effect<EnrolmentAnswer, EnrolmentError>
}>() {}

const timeout = "30 seconds"

const make = (url: URL) =>
  Effect.gen(function*() {
    const httpClient = HttpClient.withTracerPropagation(yield* HttpClient.HttpClient, false)
    const api = yield* HttpApiClient.group(HubApi, {
      group: "enrolment",
      httpClient,
      baseUrl: url.href.replace(/\/+$/, "")
    })
    const failed = (reason: EnrolmentError["reason"], detail: string, retryAfterSeconds?: number): EnrolmentError =>
      new EnrolmentError({
        reason,
        hub: url.origin,
        detail,
        ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds })
      })

    type Refusal = Effect.Effect.Error<
      ReturnType<typeof api.ask> | ReturnType<typeof api.challenge> | ReturnType<typeof api.claim>
    >
    const errorOf = (error: Refusal): EnrolmentError => {
      switch (error._tag) {
        case "RequestError": {
          const mismatch = pinMismatchOf(error)
          const cause = error.cause instanceof Error ? error.cause.message : error.message
          return mismatch === undefined
            ? failed("unreachable", `it cannot be reached: ${cause}`)
            : failed("refused-certificate", mismatch.message)
        }
        case "HubForbidden":
        case "HubConflict":
          return failed("refused", error.message)
        case "HubTooManyRequests":
          return failed("busy", error.message, error.retryAfterSeconds)
        case "HubUnavailable":
          return failed("busy", error.message)
        default:
          return failed("malformed", `its answer is not a hub's: ${error.message}`)
      }
    }
    const asked = <A>(answer: Effect.Effect<A, Refusal>): Effect.Effect<A, EnrolmentError> =>
      answer.pipe(
        Effect.mapError(errorOf),
        Effect.timeoutFail({
          duration: timeout,
          onTimeout: () => failed("unreachable", `it gave no answer within ${timeout}`)
        })
      )

    return EnrolmentClient.of({
      ask: (payload) => Effect.map(asked(api.ask({ payload })), ({ state }) => state),
      challenge: Effect.map(asked(api.challenge()), ({ challenge }) => challenge),
      claim: (payload) => asked(api.claim({ payload }))
    })
  })

/** @param url the hub's https origin; the client must be one that is pinned to it. */
export const layer = (url: URL): Layer.Layer<EnrolmentClient, never, HttpClient.HttpClient> =>
  Layer.effect(EnrolmentClient, make(url)).pipe(Layer.ensureRequirementsType<HttpClient.HttpClient>())
