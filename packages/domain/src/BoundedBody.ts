import { Headers, type HttpClientError, type HttpClientResponse } from "@effect/platform"
import { Chunk, Data, Effect, Option, Stream } from "effect"

/** A body is longer than its reader wants it. What is left of it was not read. */
export class BodyTooLarge extends Data.TaggedError("BodyTooLarge")<{ readonly limit: number }> {}

const announced = (response: HttpClientResponse.HttpClientResponse): number | undefined => {
  const text = Option.getOrElse(Headers.get(response.headers, "content-length"), () => "")
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined
}

/** Piece by piece: nobody knows how many come. */
const piecemeal = (response: HttpClientResponse.HttpClientResponse, limit: number) =>
  response.stream.pipe(
    Stream.runFoldEffect({ size: 0, pieces: Chunk.empty<Uint8Array>() }, ({ pieces, size }, piece) =>
      size + piece.length > limit
        ? Effect.fail(new BodyTooLarge({ limit }))
        : Effect.succeed({ size: size + piece.length, pieces: Chunk.append(pieces, piece) })),
    Effect.map(({ pieces, size }) => {
      const bytes = new Uint8Array(size)
      let at = 0
      for (const piece of pieces) {
        bytes.set(piece, at)
        at += piece.length
      }
      return new TextDecoder().decode(bytes)
    })
  )

/** An answer's body as text, of at most `limit` bytes, whatever client the answer is from; empty when it has none. */
export const boundedText = (
  response: HttpClientResponse.HttpClientResponse,
  limit: number
): Effect.Effect<string, HttpClientError.ResponseError | BodyTooLarge> => {
  const length = announced(response)
  if (length !== undefined && length > limit) return new BodyTooLarge({ limit })
  const read: Effect.Effect<string, HttpClientError.ResponseError | BodyTooLarge> = length === undefined
    ? piecemeal(response, limit)
    // In one piece, which takes a fraction of what a stream does. A client's parser ends a body where its length says.
    : response.text
  return Effect.catchTag(
    read,
    "ResponseError",
    (error) => error.reason === "EmptyBody" ? Effect.succeed("") : Effect.fail(error)
  )
}
