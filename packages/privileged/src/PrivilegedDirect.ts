import { Command, CommandExecutor } from "@effect/platform"
import { displayTextWithin } from "@felhom/domain/DisplayText"
import { Chunk, Effect, Layer, ParseResult, Schema, Stream } from "effect"
import { LsblkOutput, mountArgv, mountPointOf, MountRequest } from "./Mount.ts"
import { pctCreateArgv, PctCreateRequest } from "./PctCreate.ts"
import { Privileged, PrivilegedError } from "./Privileged.ts"
import { parseSensors, parseSmartctl, smartArgv, smartctlCouldNotRead, SmartRequest } from "./Smart.ts"

type Verb = PrivilegedError["verb"]
type Argv = readonly [string, ...Array<string>]

interface Finished {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

const outputLimit = 1_048_576

// Nothing of our own environment, which holds tokens, reaches a command.
const environment = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C.UTF-8" }

const collect = <E>(stream: Stream.Stream<Uint8Array, E>): Effect.Effect<string, E> =>
  stream.pipe(
    Stream.mapAccum(0, (total, chunk) => [total + chunk.length, { total, chunk }]),
    // Read to the end, or the command blocks on a full pipe; keep only what fits.
    Stream.filter(({ total }) => total < outputLimit),
    Stream.map(({ chunk }) => chunk),
    Stream.decodeText(),
    Stream.runCollect,
    Effect.map(Chunk.join(""))
  )

/**
 * Runs the commands itself: for the root helpers, and for nobody else. A request is validated against its schema again, since
 * it may have come over a socket.
 */
export const layer: Layer.Layer<Privileged, never, CommandExecutor.CommandExecutor> = Layer.effect(
  Privileged,
  Effect.gen(function*() {
    const executor = yield* CommandExecutor.CommandExecutor

    const validated = <A, I>(verb: Verb, schema: Schema.Schema<A, I>, request: unknown) =>
      Effect.mapError(
        Schema.validate(schema, { onExcessProperty: "error" })(request),
        (error) =>
          new PrivilegedError({ verb, reason: "invalid", detail: ParseResult.TreeFormatter.formatErrorSync(error) })
      )

    const run = (verb: Verb, argv: Argv): Effect.Effect<Finished, PrivilegedError> =>
      executor.start(Command.make(...argv).pipe(Command.env(environment, { extendEnv: false }))).pipe(
        Effect.flatMap((process) =>
          Effect.all({ exitCode: process.exitCode, stdout: collect(process.stdout), stderr: collect(process.stderr) }, {
            concurrency: "unbounded"
          })
        ),
        Effect.scoped,
        Effect.mapError((error) => new PrivilegedError({ verb, reason: "unavailable", detail: error.message }))
      )

    const succeeded = (verb: Verb, argv: Argv, finished: Finished) =>
      finished.exitCode === 0
        ? Effect.succeed(finished.stdout)
        : Effect.fail(
          new PrivilegedError({
            verb,
            reason: "failed",
            detail: `${argv[0]} ended with ${finished.exitCode}: ${displayTextWithin(finished.stderr.trim(), 500)}`
          })
        )

    const readable = <A>(verb: Verb, parsed: Effect.Effect<A, ParseResult.ParseIssue>) =>
      Effect.mapError(
        parsed,
        (issue) =>
          new PrivilegedError({ verb, reason: "malformed", detail: ParseResult.TreeFormatter.formatIssueSync(issue) })
      )

    return Privileged.of({
      pctCreate: (unchecked) =>
        Effect.gen(function*() {
          const argv = pctCreateArgv(yield* validated("pctCreate", PctCreateRequest, unchecked))
          const output = yield* succeeded("pctCreate", argv, yield* run("pctCreate", argv))
          return { output: output.split("\n").filter((line) => line !== "") }
        }),
      mount: (unchecked) =>
        Effect.gen(function*() {
          const request = yield* validated("mount", MountRequest, unchecked)
          const argv = mountArgv(request)
          const output = yield* succeeded("mount", argv, yield* run("mount", argv))
          if (request.action !== "list") {
            return { action: request.action, mountPoint: mountPointOf(request.name) }
          }
          const { blockdevices } = yield* readable("mount", ParseResult.decodeUnknown(LsblkOutput)(output))
          return { action: request.action, devices: blockdevices }
        }),
      smart: (unchecked) =>
        Effect.gen(function*() {
          const request = yield* validated("smart", SmartRequest, unchecked)
          const argv = smartArgv(request)
          const finished = yield* run("smart", argv)
          if (request.action === "sensors") {
            return yield* readable("smart", parseSensors(yield* succeeded("smart", argv, finished)))
          }
          const output = smartctlCouldNotRead(finished.exitCode)
            ? yield* succeeded("smart", argv, finished)
            : finished.stdout
          return yield* readable("smart", parseSmartctl(request.device, output))
        })
    })
  })
).pipe(Layer.ensureRequirementsType<CommandExecutor.CommandExecutor>())
