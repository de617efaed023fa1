import { Headers, HttpBody, type HttpClientError, HttpClientRequest, type HttpClientResponse } from "@effect/platform"
import { Effect, Option } from "effect"
import { type BodyTooLarge, boundedText } from "../BoundedBody.ts"

/** A request whose answer is wanted as a whole. */
export interface WholeRequest {
  readonly method: "GET" | "POST" | "PUT" | "DELETE"
  readonly url: string
  /** Names in lower case; without those that say what the body is. */
  readonly headers: { readonly [name: string]: string }
  readonly body?: { readonly type: string; readonly bytes: Uint8Array }
  /** A longer answer is not read to its end, in bytes. */
  readonly limit: number
}

/** An answer that has come to its end. */
export interface WholeAnswer {
  readonly status: number
  /** By its name in lower case. */
  readonly header: (name: string) => string | undefined
  /** Empty where it has no body. */
  readonly text: string
}

/** A `RequestError` says that no answer began, a `ResponseError` that one began and did not come to its end. */
export type WholeExchange = (
  request: WholeRequest
) => Effect.Effect<WholeAnswer, HttpClientError.HttpClientError | BodyTooLarge>

/** What this asks of a client, which its caller brings: nothing here reaches anybody by itself. */
interface Executing {
  readonly execute: (
    request: HttpClientRequest.HttpClientRequest
  ) => Effect.Effect<HttpClientResponse.HttpClientResponse, HttpClientError.HttpClientError>
}

/** The same request for a client of the platform's. */
export const httpRequestOf = ({ body, headers, method, url }: WholeRequest): HttpClientRequest.HttpClientRequest =>
  HttpClientRequest.make(method)(url, {
    headers,
    ...(body === undefined ? {} : { body: HttpBody.uint8Array(body.bytes, body.type) })
  })

/** Over any client. */
const stepByStep = (client: Executing): WholeExchange => (request) =>
  Effect.flatMap(
    client.execute(httpRequestOf(request)),
    (response) =>
      Effect.map(boundedText(response, request.limit), (text) => ({
        status: response.status,
        header: (name) => Option.getOrUndefined(Headers.get(response.headers, name)),
        text
      }))
  )

// A client that makes the whole exchange in one effect takes far fewer steps: for a request each half minute V8 compiles little
// of what it runs, and every step of Effect's counts.
const own = new WeakMap<object, WholeExchange>()

/** Notes how this client makes a whole exchange by itself. */
export const exchangesWhole = <Client extends object>(client: Client, exchange: WholeExchange): Client => {
  own.set(client, exchange)
  return client
}

/** A whole exchange over this client: its own way, or one through its answer's body. */
export const wholeExchange = (client: Executing): WholeExchange => own.get(client) ?? stepByStep(client)
