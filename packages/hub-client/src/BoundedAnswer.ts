import { HttpClientError, HttpClientResponse } from "@effect/platform"
import { Effect, Stream } from "effect"

/** An envelope with its signed ops fits many times over. */
const answerLimitBytes = 1_048_576

/**
 * Reads an answer to its end, within the limit, and hands on the same answer with its body in memory: whatever decodes it
 * then can't be made to read without end.
 */
export const boundedAnswer = (
  response: HttpClientResponse.HttpClientResponse
): Effect.Effect<HttpClientResponse.HttpClientResponse, HttpClientError.ResponseError> =>
  Effect.gen(function*() {
    const { request } = response
    const refused = (description: string) =>
      new HttpClientError.ResponseError({ request, response, reason: "Decode", description })
    const { chunks } = yield* Stream.runFoldEffect(
      response.stream,
      { size: 0, chunks: new Array<Uint8Array>() },
      (read, chunk) => {
        const size = read.size + chunk.length
        return size > answerLimitBytes
          ? Effect.fail(refused(`the answer is larger than ${answerLimitBytes} bytes`))
          : Effect.succeed({ size, chunks: [...read.chunks, chunk] })
      }
    ).pipe(
      Effect.catchIf((error) => error.reason === "EmptyBody", () => Effect.succeed({ chunks: new Array<Uint8Array>() }))
    )
    return yield* Effect.try({
      try: () =>
        HttpClientResponse.fromWeb(
          request,
          new Response(chunks.length === 0 ? null : new Blob(chunks.map((chunk) => new Uint8Array(chunk))), {
            status: response.status,
            headers: response.headers
          })
        ),
      catch: () => refused(`the answer has a status that HTTP does not know: ${response.status}`)
    })
  })
