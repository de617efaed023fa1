import type { IncomingMessage } from "node:http"

/** A body is longer than whoever reads it wants it; what is left of it is not read. */
export class BodyTooLong extends Error {
  override readonly name = "BodyTooLong"
  constructor(limit: number) {
    super(`a body of more than ${limit} bytes`)
  }
}

// Whole texts only, so that one decoder serves all.
const utf8 = new TextDecoder()

/** A whole body as text; whole before it is decoded, so that no character is cut. */
export const textOf = (bytes: Uint8Array): string => utf8.decode(bytes)

/** Who waits for a body. Only the first word counts. */
export interface BodyReader {
  readonly whole: (bytes: Buffer) => void
  readonly failed: (cause: unknown) => void
}

// Not through a stream of Effect's: for bodies that fit in memory that would be most of the work of a request.
/** Gathers a body of at most `limit` bytes; a longer one ends its connection. */
export const gather = (source: IncomingMessage, limit: number, { failed, whole }: BodyReader): void => {
  const chunks: Array<Buffer> = []
  let size = 0
  let ended = false
  const unfinished = (): void => {
    // Each error takes a stack trace, which is a good part of a request, and a body that came to its end is closed, too.
    if (!ended) failed(source.errored ?? new Error("the connection ended within the body"))
  }
  if (source.destroyed && !source.readableEnded) {
    unfinished()
    return
  }
  source
    .on("data", (chunk: Buffer) => {
      size += chunk.length
      chunks.push(chunk)
      if (size <= limit) return
      failed(new BodyTooLong(limit))
      source.destroy()
    })
    .once("end", () => {
      ended = true
      whole(Buffer.concat(chunks, size))
    })
    .once("error", failed)
    .once("close", unfinished)
}
