import { Context, Effect, FiberSet, Layer, type Scope } from "effect"
import { mkdirSync, rmSync } from "node:fs"
import { createServer, type Server, type Socket } from "node:net"
import { join } from "node:path"
import { ListenFailed } from "./Listening.ts"
import { PveSim } from "./PveSim.ts"
import { refusedLine } from "./RootLine.ts"
import { rootPctCreate } from "./RootPctCreate.ts"

/** One line of request to one line of answer. */
export type RootAnswer = (line: string) => Effect.Effect<string>

/** The simulated host's root helpers: three sockets in a folder, as systemd makes them on a host. */
export class RootFront extends Context.Tag("felhom/pve-sim/RootFront")<RootFront, {
  readonly directory: string
}>() {}

const longestLine = 8192
const newline = 0x0a

const oneLine = (socket: Socket, answer: (line: string) => void): void => {
  const chunks: Array<Buffer> = []
  let size = 0
  let isAsked = false
  socket.on("error", () => socket.destroy())
  socket.on("data", (chunk) => {
    if (isAsked) return
    const end = chunk.indexOf(newline)
    const part = end < 0 ? chunk : chunk.subarray(0, end)
    size += part.length
    if (size > longestLine) return void socket.destroy()
    chunks.push(part)
    if (end < 0) return
    isAsked = true
    answer(Buffer.concat(chunks).toString("utf8"))
  })
}

const listening = (server: Server, path: string): Effect.Effect<void, ListenFailed, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.async<void, ListenFailed>((resume) => {
      server.once(
        "error",
        (error) => resume(Effect.fail(new ListenFailed({ reason: "other", address: path, detail: error.message })))
      )
      server.listen(path, () => resume(Effect.void))
    }),
    () => Effect.sync(() => void server.close())
  )

const none = (verb: "mount" | "smart"): RootAnswer => () =>
  Effect.succeed(refusedLine(verb, "unavailable", "this simulated host has no disks to show"))

const make = (
  directory: string,
  disks: { readonly smart: RootAnswer; readonly mount: RootAnswer }
): Effect.Effect<typeof RootFront.Service, ListenFailed, PveSim | Scope.Scope> =>
  Effect.gen(function*() {
    const sim = yield* PveSim
    const run = yield* FiberSet.makeRuntime()
    const answers: { readonly [socket: string]: RootAnswer } = {
      "pct-create": rootPctCreate(sim),
      smart: disks.smart,
      mount: disks.mount
    }
    yield* Effect.try({
      try: () => mkdirSync(directory, { recursive: true, mode: 0o700 }),
      catch: (error) => new ListenFailed({ reason: "other", address: directory, detail: String(error) })
    })
    for (const [name, answer] of Object.entries(answers)) {
      const path = join(directory, `${name}.sock`)
      // What an earlier simulator left there answers nobody.
      rmSync(path, { force: true })
      const server = createServer((socket) =>
        oneLine(socket, (line) => {
          run(Effect.map(answer(line), (reply) => void socket.end(`${reply}\n`)))
        })
      )
      yield* listening(server, path)
    }
    return { directory }
  })

/** Listens in this folder until the scope ends. */
export const layer = (
  directory: string,
  disks: { readonly smart: RootAnswer; readonly mount: RootAnswer } = { smart: none("smart"), mount: none("mount") }
): Layer.Layer<RootFront, ListenFailed, PveSim> => Layer.scoped(RootFront, make(directory, disks))
