import { Data, Effect, Schema } from "effect"
import { spawn } from "node:child_process"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Trap } from "./FileTrap.ts"
import { type Home, nothingReached, type Reached } from "./Life.ts"
import { Assignment, assignmentFile, Line, type Report, type Spends } from "./Report.ts"

/** How a process ended that was to live. */
export interface Ended {
  readonly signal: NodeJS.Signals | null
  readonly code: number | null
  /** Of each life that came to its end. */
  readonly reports: ReadonlyArray<Report>
  /** The last that was said of how far it had come. */
  readonly reached: Reached
  /** How many nonces were spent and answered for. */
  readonly spent: number
  /** The step at which it killed itself, or whatever else it had to say. */
  readonly lastWords: string
}

/** Neither an answer nor a kill: the program itself is broken. */
export class HostProcessBroken extends Data.TaggedError("HostProcessBroken")<{ readonly message: string }> {}

const decode = Schema.decodeUnknown(Schema.parseJson(Line))
const encode = Schema.encodeSync(Schema.parseJson(Assignment))

/** What shall go wrong in which life; null for a life in which nothing does. */
export interface Planned {
  readonly home: Home
  readonly trap: Trap | null
  readonly spends?: Spends
}

/** Runs the lives one after the other in a process of their own; `wrapper` is put in front of its command line. */
export const inProcess = (
  program: string,
  planned: ReadonlyArray<Planned>,
  wrapper: ReadonlyArray<string> = []
): Effect.Effect<Ended, HostProcessBroken> =>
  Effect.gen(function*() {
    for (const { home, spends, trap } of planned) {
      const assignment = { home, trap, ...(spends === undefined ? {} : { spends }) }
      yield* Effect.sync(() => writeFileSync(join(home.folder, assignmentFile), encode(assignment)))
    }
    const [command = "", ...args] = [
      ...wrapper,
      process.execPath,
      program,
      ...planned.map(({ home }) => home.folder)
    ]
    const { code, err, out, signal } = yield* Effect.async<
      {
        readonly code: number | null
        readonly signal: NodeJS.Signals | null
        readonly out: string
        readonly err: string
      }
    >((resume) => {
      const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] })
      let out = ""
      let err = ""
      child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text))
      child.stderr.setEncoding("utf8").on("data", (text: string) => (err += text))
      child.on("error", (error) => resume(Effect.succeed({ code: null, signal: null, out, err: error.message })))
      child.on("close", (code, signal) => resume(Effect.succeed({ code, signal, out, err })))
      return Effect.sync(() => child.kill("SIGKILL"))
    })
    const broken = (detail: string) => new HostProcessBroken({ message: `${program} ${detail}:\n${out}${err}` })
    if (signal !== "SIGKILL" && code !== 0) return yield* broken(`ended with ${code ?? signal}`)
    const lines = yield* Effect.forEach(
      out.split("\n").filter((line) => line !== ""),
      (line) => Effect.mapError(decode(line), ({ message }) => broken(`said what can't be read: ${message}`))
    )
    return {
      signal,
      code,
      reports: lines.flatMap((line) => ("steps" in line ? [line] : [])),
      reached: lines.flatMap((line) => ("reached" in line ? [line.reached] : [])).at(-1) ?? nothingReached,
      spent: lines.flatMap((line) => ("spent" in line ? [line.spent] : [])).at(-1) ?? 0,
      lastWords: err.trim()
    }
  })
