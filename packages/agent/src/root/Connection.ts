import { lineLimitBytes } from "@felhom/privileged/RootExchange"
import { Effect } from "effect"
import type { Readable, Writable } from "node:stream"

const newline = 0x0a

const textOf = (bytes: Buffer): Effect.Effect<string, string> =>
  Effect.try({
    try: () => new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes),
    catch: () => "the request is not UTF-8"
  })

/** The one line that a connection brings, or why it brought none. What comes after a line makes it none, too. */
export const readLine = (input: Readable, limitMillis: number): Effect.Effect<string, string> =>
  Effect.async<Buffer, string>((resume) => {
    const chunks: Array<Buffer> = []
    let size = 0
    const onData = (chunk: Buffer) => {
      size += chunk.length
      chunks.push(chunk)
      const all = Buffer.concat(chunks)
      const end = all.indexOf(newline)
      if ((end < 0 ? size : end) > lineLimitBytes) {
        resume(Effect.fail(`the request is longer than the ${lineLimitBytes} bytes that a line holds`))
      } else if (end >= 0 && end < size - 1) resume(Effect.fail("the request is more than one line"))
      else if (end >= 0) resume(Effect.succeed(all.subarray(0, end)))
    }
    const onEnd = () => resume(Effect.fail("the connection ended before a whole line had come"))
    const onError = (error: Error) => resume(Effect.fail(`the request could not be read: ${error.message}`))
    const timer = setTimeout(() => resume(Effect.fail(`no whole line came within ${limitMillis} ms`)), limitMillis)
    input.on("data", onData).once("end", onEnd).once("error", onError)
    return Effect.sync(() => clearTimeout(timer))
  }).pipe(
    Effect.ensuring(Effect.sync(() => input.pause())),
    Effect.flatMap(textOf)
  )

/** Writes the one line of answer. Whoever asked may be gone by then, which is that one's affair. */
export const writeLine = (output: Writable, line: string): Effect.Effect<void> =>
  Effect.async((resume) => {
    output.once("error", () => resume(Effect.void))
    output.write(`${line}\n`, () => resume(Effect.void))
  })
