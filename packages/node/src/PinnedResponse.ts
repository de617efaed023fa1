import * as NodeStream from "@effect/platform-node/NodeStream"
import * as Cookies from "@effect/platform/Cookies"
import * as Headers from "@effect/platform/Headers"
import { ResponseError } from "@effect/platform/HttpClientError"
import type { HttpClientRequest } from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as HttpIncomingMessage from "@effect/platform/HttpIncomingMessage"
import * as UrlParams from "@effect/platform/UrlParams"
import { Effect, Inspectable, Option, type Stream } from "effect"
import type { IncomingMessage } from "node:http"
import { gather, textOf } from "./WholeBody.ts"

const wholeOf = (source: IncomingMessage, limit: number): Effect.Effect<Buffer, unknown> =>
  Effect.async((resume) => {
    gather(source, limit, {
      whole: (bytes) => resume(Effect.succeed(bytes)),
      failed: (cause) => resume(Effect.fail(cause))
    })
    return Effect.sync(() => source.destroy())
  })

/**
 * An answer as Node's client gives it. Its body can be read once, as a stream, which its reader bounds, or as a whole, of at
 * most `HttpIncomingMessage.MaxBodySize`.
 */
export class PinnedResponse extends Inspectable.Class implements HttpClientResponse.HttpClientResponse {
  readonly [HttpIncomingMessage.TypeId]: HttpIncomingMessage.TypeId = HttpIncomingMessage.TypeId
  readonly [HttpClientResponse.TypeId]: HttpClientResponse.TypeId = HttpClientResponse.TypeId
  readonly request: HttpClientRequest
  // None of these is a #name: whoever puts something before an answer (Object.create) reads on through it.
  private readonly source: IncomingMessage
  private kept: Headers.Headers | undefined

  constructor(request: HttpClientRequest, source: IncomingMessage) {
    super()
    this.request = request
    this.source = source
  }

  private readonly failed = (cause: unknown): ResponseError =>
    new ResponseError({ request: this.request, response: this, reason: "Decode", cause })

  private get whole(): Effect.Effect<Buffer, ResponseError> {
    return Effect.flatMap(HttpIncomingMessage.MaxBodySize, (limit) =>
      Effect.mapError(
        wholeOf(this.source, Option.match(limit, { onNone: () => Infinity, onSome: Number })),
        this.failed
      ))
  }

  get status(): number {
    return this.source.statusCode ?? 0
  }

  get headers(): Headers.Headers {
    // Node has put the names in lower case already.
    return this.kept ??= Headers.unsafeFromRecord(Object.fromEntries(
      Object.entries(this.source.headers).flatMap(([name, value]): ReadonlyArray<readonly [string, string]> =>
        value === undefined ? [] : [[name, Array.isArray(value) ? value.join(", ") : value]]
      )
    ))
  }

  get cookies(): Cookies.Cookies {
    return Cookies.fromSetCookie(this.source.headers["set-cookie"] ?? [])
  }

  get remoteAddress(): Option.Option<string> {
    return Option.fromNullable(this.source.socket.remoteAddress)
  }

  get stream(): Stream.Stream<Uint8Array, ResponseError> {
    return NodeStream.fromReadable<ResponseError, Uint8Array>(() => this.source, this.failed)
  }

  get text(): Effect.Effect<string, ResponseError> {
    return Effect.map(this.whole, textOf)
  }

  get json(): Effect.Effect<unknown, ResponseError> {
    return Effect.tryMap(this.text, {
      try: (text): unknown => (text === "" ? null : JSON.parse(text)),
      catch: this.failed
    })
  }

  get urlParamsBody(): Effect.Effect<UrlParams.UrlParams, ResponseError> {
    return Effect.map(this.text, (text) => UrlParams.fromInput(new URLSearchParams(text)))
  }

  get arrayBuffer(): Effect.Effect<ArrayBuffer, ResponseError> {
    return Effect.map(
      this.whole,
      // A copy of its own: what Node gives is a part of a larger buffer.
      (bytes) => new Uint8Array(bytes).buffer
    )
  }

  get formData(): Effect.Effect<FormData, ResponseError> {
    return Effect.fail(this.failed(new Error("no peer of the agent answers with form data")))
  }

  override toJSON(): unknown {
    return HttpIncomingMessage.inspect(this, {
      _id: "@felhom/node/PinnedResponse",
      request: this.request.toJSON(),
      status: this.status
    })
  }
}
