import { Effect, Exit, Runtime, Schema, type Scope } from "effect"
import { chmodSync, mkdirSync, rmSync } from "node:fs"
import { createConnection, createServer, type Server, type Socket } from "node:net"
import { join } from "node:path"
import { type AdminAnswer, adminSocketName, longestLine } from "./AdminProtocol.ts"

/** The socket can't be had. The daemon goes on without it. */
class AdminSocketError extends Schema.TaggedError<AdminSocketError>()("AdminSocketError", {
  path: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `${this.path}: ${this.detail}; felhom-agent ops and hold can't reach this daemon`
  }
}

const newline = 0x0a
const mostConnections = 8
const patienceMillis = 10_000
/** A bit longer than the longest that is asked for here may take: a disk that is ejected. */
const closingMillis = 120_000

/** Reads one line and answers with one. */
const serveOne = (socket: Socket, answer: (line: string) => Promise<string>): void => {
  const chunks: Array<Buffer> = []
  let size = 0
  let asked = false
  socket.setTimeout(patienceMillis, () => socket.destroy())
  socket.on("error", () => socket.destroy())
  socket.on("data", (chunk) => {
    if (asked) return
    const end = chunk.indexOf(newline)
    const part = end < 0 ? chunk : chunk.subarray(0, end)
    size += part.length
    chunks.push(part)
    if (size > longestLine) return void socket.destroy()
    if (end < 0) return
    asked = true
    socket.setTimeout(0)
    void answer(Buffer.concat(chunks).toString("utf8")).then(
      (line) => socket.end(`${line}\n`),
      () => socket.destroy()
    )
  })
}

/** Whether a daemon answers there; what is left of one that is gone refuses. */
const isAnswered = (path: string): Effect.Effect<boolean> =>
  Effect.async((resume) => {
    const socket = createConnection({ path })
    socket.on("connect", () => {
      socket.destroy()
      resume(Effect.succeed(true))
    })
    socket.on("error", () => resume(Effect.succeed(false)))
  })

const listen = (server: Server, path: string): Effect.Effect<void, AdminSocketError> =>
  Effect.async((resume) => {
    server.once("error", (error) => resume(new AdminSocketError({ path, detail: error.message })))
    // The file is made while this runs, and must never be open to others, not even for a moment.
    const before = process.umask(0o177)
    try {
      server.listen(path, () => resume(Effect.void))
    } finally {
      process.umask(before)
    }
  })

const opened = (directory: string, answer: (line: string) => Promise<string>) =>
  Effect.gen(function*() {
    const path = join(directory, adminSocketName)
    const attempt = (act: () => void) =>
      Effect.try({
        try: act,
        catch: (error) => new AdminSocketError({ path, detail: error instanceof Error ? error.message : String(error) })
      })
    yield* attempt(() => void mkdirSync(directory, { recursive: true, mode: 0o700 }))
    if (yield* isAnswered(path)) {
      return yield* new AdminSocketError({ path, detail: "another daemon answers there" })
    }
    yield* attempt(() => rmSync(path, { force: true }))
    const sockets = new Set<Socket>()
    const server = createServer((socket) => {
      sockets.add(socket)
      socket.once("close", () => sockets.delete(socket))
      serveOne(socket, answer)
    })
    server.maxConnections = mostConnections
    yield* listen(server, path)
    yield* attempt(() => chmodSync(path, 0o600))
    server.on("error", () => undefined)
    return { server, sockets }
  })

interface Served {
  readonly server: Server
  readonly sockets: ReadonlySet<Socket>
}

/** Nobody new is let in; whoever is there gets an answer, and so much time to take it. */
const closed = ({ server, sockets }: Served, millis: number): Effect.Effect<void> =>
  Effect.async((resume) => {
    const late = setTimeout(() => {
      for (const socket of sockets) socket.destroy()
    }, millis)
    server.close(() => {
      clearTimeout(late)
      resume(Effect.void)
    })
  })

/**
 * Serves `admin.sock` in the runtime folder for the daemon's own user and root (0600): one line of JSON in, one out. Where it
 * can't be had, that is said in the log. It is gone with the scope, which waits `millis` at most for those who are being answered.
 */
export const serveAdmin = (
  directory: string,
  answer: (line: string) => Effect.Effect<AdminAnswer>,
  millis: number = closingMillis
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function*() {
    const runtime = yield* Effect.runtime<never>()
    const respond = (line: string): Promise<string> =>
      Runtime.runPromiseExit(runtime)(answer(line)).then((exit) =>
        JSON.stringify(
          Exit.isSuccess(exit) ? exit.value : { ok: false, message: "the daemon failed at that; its log says more" }
        )
      )
    yield* Effect.acquireRelease(
      opened(directory, respond),
      (served) => closed(served, millis)
    )
  }).pipe(Effect.catchAll((error) => Effect.logError("there is no socket for commands on this host", error.message)))
