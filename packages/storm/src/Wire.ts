import { HttpClient, HttpClientError } from "@effect/platform"
import { BodyTooLarge } from "@felhom/domain/BoundedBody"
import { PinMismatch } from "@felhom/domain/PeerPin"
import { AnswerLate, endsByItself } from "@felhom/domain/port/AnswerLimit"
import { exchangesWhole, httpRequestOf, type WholeAnswer, type WholeRequest } from "@felhom/domain/port/WholeExchange"
import { Effect } from "effect"
import type { Life, Timeline } from "./Timeline.ts"

/**
 * What comes of a request: an answer, or how the connection ended without one. `refused`: nobody was there. `foreign`: whoever was
 * there showed a certificate that no pin names.
 */
export type Outcome =
  | { readonly _tag: "answer"; readonly status: number; readonly text: string }
  | { readonly _tag: "refused" }
  | { readonly _tag: "reset" }
  | { readonly _tag: "broken" }
  | { readonly _tag: "foreign" }

type Answered = Effect.Effect<WholeAnswer, HttpClientError.HttpClientError | BodyTooLarge>

const failed = (request: WholeRequest, code: string): Answered =>
  Effect.fail(
    new HttpClientError.RequestError({
      request: httpRequestOf(request),
      reason: "Transport",
      description: code,
      cause: Object.assign(new Error(code), { code })
    })
  )

const foreign = (request: WholeRequest): Answered =>
  Effect.fail(
    new HttpClientError.RequestError({
      request: httpRequestOf(request),
      reason: "Transport",
      cause: new PinMismatch({ peer: new URL(request.url).host, leaf: "AB:".repeat(31) + "AB", spki: null })
    })
  )

const late = (request: WholeRequest, limit: number): Answered =>
  Effect.fail(
    new HttpClientError.RequestError({
      request: httpRequestOf(request),
      reason: "Transport",
      cause: new AnswerLate(limit)
    })
  )

const answered = (request: WholeRequest, outcome: Outcome): Answered => {
  switch (outcome._tag) {
    case "answer":
      return outcome.text.length > request.limit
        ? Effect.fail(new BodyTooLarge({ limit: request.limit }))
        : Effect.succeed({ status: outcome.status, header: () => undefined, text: outcome.text })
    case "refused":
      return failed(request, "ECONNREFUSED")
    case "reset":
      return failed(request, "ECONNRESET")
    case "broken":
      // Whether it began to come is all the same to those who ask here.
      return failed(request, "EPIPE")
    case "foreign":
      return foreign(request)
  }
}

/**
 * A client whose requests are carried by hand: `carry` gets each of them and says later what came of it, or never does. After the
 * limit, in milliseconds, it is over.
 */
export const wire = (
  timeline: Timeline,
  life: Life,
  limit: number,
  carry: (request: WholeRequest, done: (outcome: Outcome) => void) => void
): HttpClient.HttpClient => {
  const client = HttpClient.make(() => Effect.dieMessage("only whole exchanges are carried here"))
  return endsByItself(
    exchangesWhole(client, (request) =>
      Effect.async((resume) => {
        let cancel: (() => void) | undefined
        let over = false
        const end = (answer: Answered) => {
          if (over || life.over) return
          over = true
          cancel?.()
          resume(answer)
        }
        carry(request, (outcome) => end(answered(request, outcome)))
        if (!over && !life.over) cancel = timeline.after(limit, life, () => end(late(request, limit)))
        return Effect.sync(() => {
          over = true
          cancel?.()
        })
      })),
    limit
  )
}
