import { Context, Effect, Ref, Schema, type Scope } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { StoryFailed } from "./StoryFailed.ts"

/** The bundles stand beside this one. */
const dist = dirname(fileURLToPath(import.meta.url))

type Environment = { readonly [name: string]: string }

/** Nothing of the caller's own environment that could change the story, or that the story's programs should not see. */
const environmentOf = (environment: Environment) => ({
  PATH: process.env["PATH"] ?? "",
  HOME: process.env["HOME"] ?? "",
  ...environment
})

/** A program of ours that is running. */
export interface Running {
  readonly name: string
  readonly pid: number
  /** The first line that it printed on stdout. */
  readonly ready: string
  /** All that it wrote to stderr so far. */
  readonly log: Effect.Effect<string>
  /** Asks it to end, and waits until it has; a program that takes too long is killed, and that is a failure. */
  readonly stop: Effect.Effect<void, StoryFailed>
}

/** All programs that were started, for what they wrote if the story fails. */
export class Cast extends Context.Tag("felhom/story/Cast")<Cast, Ref.Ref<ReadonlyArray<Running>>>() {}

const patience = 10_000

const ended = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null

const awaitExit = (child: ChildProcess): Effect.Effect<void> =>
  Effect.async<void>((resume) => {
    if (ended(child)) resume(Effect.void)
    else child.once("exit", () => resume(Effect.void))
  })

const stopChild = (name: string, child: ChildProcess): Effect.Effect<void, StoryFailed> =>
  Effect.gen(function*() {
    if (ended(child)) return
    child.kill("SIGTERM")
    yield* awaitExit(child).pipe(
      Effect.timeout(patience),
      Effect.catchTag("TimeoutException", () =>
        Effect.zipRight(
          Effect.sync(() => child.kill("SIGKILL")),
          new StoryFailed({ message: `${name} did not end within ${patience / 1000} s of SIGTERM` })
        ))
    )
    if (child.exitCode !== 0) {
      return yield* new StoryFailed({ message: `${name} ended with ${child.exitCode ?? child.signalCode}, not with 0` })
    }
  })

/** Starts a bundle and waits for its first line on stdout, or only for its start when it has none to print. */
export const start = (options: {
  readonly name: string
  readonly bundle: string
  readonly args: ReadonlyArray<string>
  readonly environment: Environment
  readonly printsReady: boolean
}): Effect.Effect<Running, StoryFailed, Scope.Scope | Cast> =>
  Effect.gen(function*() {
    const logged: Array<string> = []
    const child = yield* Effect.acquireRelease(
      Effect.sync(() =>
        spawn(process.execPath, [join(dist, options.bundle), ...options.args], {
          env: environmentOf(options.environment),
          stdio: ["ignore", "pipe", "pipe"]
        })
      ),
      // Whatever went wrong before, nothing is left running.
      (running) => Effect.ignore(stopChild(options.name, running))
    )
    child.stderr.setEncoding("utf8").on("data", (text: string) => logged.push(text))
    const firstLine = Effect.async<string, StoryFailed>((resume) => {
      let text = ""
      child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk
        const at = text.indexOf("\n")
        if (at >= 0) resume(Effect.succeed(text.slice(0, at)))
      })
      child.once("exit", (code) =>
        resume(
          new StoryFailed({ message: `${options.name} ended with ${code} before it was ready:\n${logged.join("")}` })
        ))
    }).pipe(
      Effect.timeoutFail({
        // Beside others on two cores, a program takes many times as long to start.
        duration: patience * 6,
        onTimeout: () => new StoryFailed({ message: `${options.name} was not ready in time:\n${logged.join("")}` })
      })
    )
    const running = (ready: string): Running => ({
      name: options.name,
      pid: child.pid ?? 0,
      ready,
      log: Effect.sync(() => logged.join("")),
      stop: stopChild(options.name, child)
    })
    yield* Ref.update(yield* Cast, (all) => [...all, running("")])
    return running(options.printsReady ? yield* firstLine : "")
  })

/** Reads a program's ready line. */
export const readyLine = <A, I>(schema: Schema.Schema<A, I>, running: Running): Effect.Effect<A, StoryFailed> =>
  Effect.mapError(
    Schema.decodeUnknown(Schema.parseJson(schema))(running.ready),
    (error) => new StoryFailed({ message: `${running.name} printed an odd first line: ${error.message}` })
  )

/** Runs a bundle to its end and gives what it printed on stdout. */
export const run = (
  bundle: string,
  args: ReadonlyArray<string>,
  environment: Environment,
  accept: ReadonlyArray<number> = [0]
): Effect.Effect<string, StoryFailed> =>
  Effect.async((resume) => {
    const child = spawn(process.execPath, [join(dist, bundle), ...args], {
      env: environmentOf(environment),
      stdio: ["ignore", "pipe", "pipe"]
    })
    let out = ""
    let err = ""
    child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text))
    child.stderr.setEncoding("utf8").on("data", (text: string) => (err += text))
    child.on("close", (code) =>
      resume(
        code !== null && accept.includes(code)
          ? Effect.succeed(out)
          : new StoryFailed({ message: `${bundle} ${args.join(" ")} ended with ${code}:\n${out}${err}` })
      ))
    return Effect.sync(() => child.kill("SIGTERM"))
  })
