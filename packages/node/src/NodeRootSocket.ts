import { RootSocket, RootSocketError, type RootVerb } from "@felhom/domain/port/RootSocket"
import { type Context, Duration, Effect, Layer } from "effect"
import { existsSync } from "node:fs"
import { createConnection } from "node:net"
import { join } from "node:path"

// Both ways (protocol 7), without the line's end.
const lineLimitBytes = 8192
const newline = 0x0a

const reasonOfCode = (code: string | undefined): RootSocketError["reason"] => {
  switch (code) {
    case "ENOENT":
      return "absent"
    case "ECONNRESET":
    case "EPIPE":
      return "closed"
    default:
      return "refused"
  }
}

const wordsOf = (path: string, { code, message }: NodeJS.ErrnoException): string =>
  code === "EACCES"
    ? `this user may not connect to ${path}: only the one that SocketUser= of its unit names may`
    : message

const exchangeOver = (
  path: string,
  verb: RootVerb,
  line: Buffer,
  limitMillis: number
): Effect.Effect<string, RootSocketError> =>
  Effect.async((resume) => {
    const fail = (reason: RootSocketError["reason"], detail: string) =>
      resume(Effect.fail(new RootSocketError({ verb, reason, detail })))
    const timer = setTimeout(() => {
      fail("timeout", "no answer in time")
      socket.destroy()
    }, limitMillis)
    const chunks: Array<Buffer> = []
    let size = 0
    const socket = createConnection({ path })
    socket.on("connect", () => socket.write(Buffer.concat([line, Buffer.of(newline)])))
    socket.on("error", (error: NodeJS.ErrnoException) => fail(reasonOfCode(error.code), wordsOf(path, error)))
    socket.on("close", () => {
      clearTimeout(timer)
      fail("closed", "the helper ended without a whole line")
    })
    socket.on("data", (chunk) => {
      const end = chunk.indexOf(newline)
      const part = end < 0 ? chunk : chunk.subarray(0, end)
      size += part.length
      if (size > lineLimitBytes) {
        fail("oversized", `an answer of more than ${lineLimitBytes} bytes`)
        socket.destroy()
        return
      }
      chunks.push(part)
      if (end < 0) return
      resume(Effect.succeed(Buffer.concat(chunks).toString("utf8")))
      socket.destroy()
    })
    return Effect.sync(() => socket.destroy())
  })

export interface RootSocketOptions {
  readonly directory: string
  readonly timeouts: { readonly [verb in RootVerb]: Duration.DurationInput }
}

/**
 * Asks the root helpers through `<directory>/<verb>.sock`, one connection for each exchange. A verb's timeout is for the whole of
 * it; what the helper then still does is its own affair, so its answer being late says nothing about its work.
 */
export const make = (options: RootSocketOptions): Context.Tag.Service<RootSocket> => ({
  exchange: (verb, line) => {
    const path = join(options.directory, `${verb}.sock`)
    const bytes = Buffer.from(line, "utf8")
    if (bytes.includes(newline)) {
      return Effect.dieMessage(`a request to the root helper for ${verb} has a line break in it`)
    }
    if (bytes.length > lineLimitBytes) {
      const detail = `a request of ${bytes.length} bytes, ${lineLimitBytes} are allowed; nothing was sent`
      return Effect.fail(new RootSocketError({ verb, reason: "oversized", detail }))
    }
    // Looked for first, in memory (/run): a host without the helper is asked each cycle, and a connection that fails costs ten
    // times the look. One that goes in between is found absent by the connection.
    return Effect.suspend(() =>
      existsSync(path)
        ? exchangeOver(path, verb, bytes, Duration.toMillis(options.timeouts[verb]))
        : new RootSocketError({ verb, reason: "absent", detail: `there is no ${path}` })
    )
  }
})

export const layer = (options: RootSocketOptions): Layer.Layer<RootSocket> => Layer.succeed(RootSocket, make(options))
