import { HttpClient } from "@effect/platform"
import { Effect } from "effect"

/** An exchange that its client gave up, because the whole answer was not there in time. The request may have been carried out. */
export class AnswerLate extends Error {
  override readonly name = "AnswerLate"
  constructor(limitMillis: number) {
    super(`no answer within ${limitMillis / 1000} s`)
  }
}

const limits = new WeakMap<HttpClient.HttpClient, number>()

/**
 * Notes that this client sends no trace, and by itself ends each exchange that takes longer than `limitMillis`, the answer's
 * body included, with an `AnswerLate` as the cause of its error.
 */
export const endsByItself = (client: HttpClient.HttpClient, limitMillis: number): HttpClient.HttpClient => {
  limits.set(client, limitMillis)
  return client
}

/** A client as its caller needs it. */
export interface LimitedClient {
  /** Sends no trace. */
  readonly client: HttpClient.HttpClient
  /** Ends an exchange of this client that takes longer than the limit. */
  readonly within: <A, E, R>(exchange: Effect.Effect<A, E, R>, late: () => E) => Effect.Effect<A, E, R>
}

/**
 * Sees to it that exchanges end in time and leave no trace with the peer. What the client does by itself is left to it: a timer
 * costs a request next to nothing, and two fibers that race cost it more than anything else.
 */
export const limitedTo = (client: HttpClient.HttpClient, limitMillis: number): LimitedClient =>
  (limits.get(client) ?? Infinity) <= limitMillis
    ? { client, within: (exchange) => exchange }
    : {
      client: HttpClient.withTracerPropagation(client, false),
      within: (exchange, late) => Effect.timeoutFail(exchange, { duration: limitMillis, onTimeout: late })
    }
