import { Duration, Effect, Schema } from "effect"
import { createConnection } from "node:net"
import { join } from "node:path"
import { AdminAnswer, type AdminRequest, adminSocketName, longestLine } from "./AdminProtocol.ts"

/** The daemon was not reached, gave no proper answer, or said no. */
export class DaemonAsked extends Schema.TaggedError<DaemonAsked>()("DaemonAsked", {
  reason: Schema.Literal("no-daemon", "not-allowed", "no-answer", "refused"),
  detail: Schema.String
}) {
  override get message(): string {
    switch (this.reason) {
      case "no-daemon":
        return `no daemon runs here: ${this.detail}; start it (systemctl start felhom-agent), or name its runtime folder (FELHOM_AGENT_RUNTIME_DIR)`
      case "not-allowed":
        return `only root and the agent's own user may ask the daemon: ${this.detail}`
      case "no-answer":
        return `the daemon gave no answer: ${this.detail}; felhom-agent ops list shows what it took`
      case "refused":
        return this.detail
    }
  }
}

const reasonOf = (code: string | undefined): DaemonAsked["reason"] =>
  code === "ENOENT" || code === "ECONNREFUSED" || code === "ENOTDIR"
    ? "no-daemon"
    : code === "EACCES" || code === "EPERM"
    ? "not-allowed"
    : "no-answer"

const exchange = (path: string, line: string): Effect.Effect<string, DaemonAsked> =>
  Effect.async((resume) => {
    const fail = (reason: DaemonAsked["reason"], detail: string) => resume(new DaemonAsked({ reason, detail }))
    const chunks: Array<Buffer> = []
    let size = 0
    const socket = createConnection({ path })
    socket.on("connect", () => socket.write(`${line}\n`))
    socket.on("error", (error: NodeJS.ErrnoException) => fail(reasonOf(error.code), `${path} (${error.message})`))
    socket.on("data", (chunk) => {
      size += chunk.length
      if (size > longestLine) socket.destroy()
      else chunks.push(chunk)
    })
    socket.on("close", () => {
      const text = Buffer.concat(chunks).toString("utf8")
      if (text.endsWith("\n")) resume(Effect.succeed(text))
      else fail("no-answer", "it ended without a whole line")
    })
    return Effect.sync(() => socket.destroy())
  })

const decode = Schema.decodeUnknown(Schema.parseJson(AdminAnswer))

/** Asks the daemon over its socket in the runtime folder, and waits so long. What it refuses fails, in its own words. */
export const askDaemon = (
  directory: string,
  request: AdminRequest,
  patience: Duration.DurationInput = "30 seconds"
): Effect.Effect<AdminAnswer, DaemonAsked> =>
  exchange(join(directory, adminSocketName), JSON.stringify(request)).pipe(
    Effect.timeoutFail({
      duration: patience,
      onTimeout: () =>
        new DaemonAsked({ reason: "no-answer", detail: `not within ${Duration.toSeconds(patience)} seconds` })
    }),
    Effect.flatMap((line) =>
      Effect.mapError(decode(line), () => new DaemonAsked({ reason: "no-answer", detail: "it can't be read" }))
    ),
    Effect.filterOrFail(({ ok }) => ok, ({ message }) => new DaemonAsked({ reason: "refused", detail: message }))
  )
