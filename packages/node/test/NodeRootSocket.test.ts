import { describe, expect, it } from "@effect/vitest"
import { RootSocket } from "@felhom/domain/port/RootSocket"
import * as NodeRootSocket from "@felhom/node/NodeRootSocket"
import { Deferred, type Duration, Effect, type Scope } from "effect"
import { chmodSync, writeFileSync } from "node:fs"
import { createServer, type Server, type Socket } from "node:net"
import { join } from "node:path"
import { temporaryFolder } from "./TemporaryFolder.ts"

/** A helper behind `smart.sock` that does with each connection what it is told. */
const helper = (serve: (socket: Socket) => void): Effect.Effect<string, never, Scope.Scope> =>
  Effect.gen(function*() {
    const directory = yield* temporaryFolder
    yield* Effect.acquireRelease(
      Effect.async<Server>((resume) => {
        const server = createServer(serve)
        server.listen(join(directory, "smart.sock"), () => resume(Effect.succeed(server)))
      }),
      (server) => Effect.async<void>((resume) => void server.close(() => resume(Effect.void)))
    )
    return directory
  })

const ask = (directory: string, line: string, timeout: Duration.DurationInput = "20 seconds") =>
  Effect.flatMap(RootSocket, (sockets) => sockets.exchange("smart", line)).pipe(
    Effect.provide(NodeRootSocket.layer({
      directory,
      timeouts: { smart: timeout, mount: "0 millis", "pct-create": "0 millis" }
    }))
  )

const request = (socket: Socket, then: (line: string) => void): void => {
  let text = ""
  socket.on("data", (chunk) => {
    text += chunk.toString()
    if (text.endsWith("\n")) then(text.slice(0, -1))
  })
}

describe("an exchange with a root helper", () => {
  it.scopedLive("is one line there and one line back, in however many pieces", () =>
    Effect.gen(function*() {
      const directory = yield* helper((socket) =>
        request(socket, (line) => {
          socket.write(`{"asked":`)
          socket.write(`${line},"é":1}`)
          socket.end("\n")
        })
      )
      expect(yield* ask(directory, "{\"disk\":\"sda\"}")).toBe("{\"asked\":{\"disk\":\"sda\"},\"é\":1}")
    }))

  it.scopedLive("allows 8 KiB and not a byte more, either way", () =>
    Effect.gen(function*() {
      const directory = yield* helper((socket) => request(socket, (line) => socket.end(`${line}${line.slice(0, 1)}\n`)))
      expect(yield* ask(directory, "a".repeat(8191))).toHaveLength(8192)
      expect(yield* Effect.flip(ask(directory, "a".repeat(8192)))).toMatchObject({ reason: "oversized" })
      const unsent = yield* Effect.flip(ask(directory, "é".repeat(4097)))
      expect(unsent).toMatchObject({ reason: "oversized", verb: "smart" })
      expect(unsent.message).toContain("nothing was sent")
    }))

  it.scopedLive("that ends without a whole line is closed", () =>
    Effect.gen(function*() {
      const directory = yield* helper((socket) => request(socket, () => socket.end("half a li")))
      expect(yield* Effect.flip(ask(directory, "{}"))).toMatchObject({ reason: "closed" })
    }))

  it.scopedLive("that gets no answer in time is a timeout, and its connection is closed", () =>
    Effect.gen(function*() {
      const left = yield* Deferred.make<void>()
      const directory = yield* helper((socket) =>
        void socket.resume().once("close", () => Deferred.unsafeDone(left, Effect.void))
      )
      expect(yield* Effect.flip(ask(directory, "{}", "50 millis"))).toMatchObject({ reason: "timeout" })
      yield* Deferred.await(left)
    }))

  it.scopedLive("with a helper that is not installed says so, and which unit to look at", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(ask(yield* temporaryFolder, "{}"))
      expect(error).toMatchObject({ reason: "absent", verb: "smart" })
      expect(error.message).toContain("felhom-agent-smart.socket")
    }))

  it.scopedLive("that this user may not have is refused, and it is said who may", () =>
    Effect.gen(function*() {
      const directory = yield* helper((socket) => request(socket, (line) => socket.end(`${line}\n`)))
      chmodSync(directory, 0o755)
      chmodSync(join(directory, "smart.sock"), 0)
      // Root may open any; so one who runs the tests as root is somebody else for this one.
      if (process.getuid?.() === 0) {
        yield* Effect.acquireRelease(
          Effect.sync(() => process.seteuid?.(65_534)),
          () => Effect.sync(() => process.seteuid?.(0))
        )
      }
      const error = yield* Effect.flip(ask(directory, "{}"))
      expect(error).toMatchObject({ reason: "refused" })
      expect(error.message).toContain("only the one that SocketUser= of its unit names may")
    }))

  it.scopedLive("is refused where nothing listens", () =>
    Effect.gen(function*() {
      const directory = yield* temporaryFolder
      writeFileSync(join(directory, "smart.sock"), "")
      expect(yield* Effect.flip(ask(directory, "{}"))).toMatchObject({ reason: "refused" })
    }))

  it.scopedLive("is never more than one line", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(ask(yield* temporaryFolder, "{}\n{}"))
      expect(String(exit)).toContain("line break")
    }))
})
