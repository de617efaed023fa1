import { Command, CommandExecutor } from "@effect/platform"
import { displayTextWithin } from "@felhom/domain/DisplayText"
import { Chunk, Effect, Stream } from "effect"
import { PrivilegedError } from "./Privileged.ts"

/** A program's absolute path and its arguments. Nothing of it passes a shell. */
export type Argv = readonly [string, ...Array<string>]

/** One command line of a verb, and what to tell whoever waits for it. */
export interface RootCommand {
  readonly verb: PrivilegedError["verb"]
  readonly argv: Argv
  /** How long it may take. */
  readonly seconds: number
  /** What to do when there is no such program on the host. */
  readonly install: string
  /** What it means that it did not end in time. */
  readonly late: string
}

/** A program that ended by itself. */
export interface Finished {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

// Of each of its two streams, in bytes.
const outputLimit = 1_048_576

// Nothing of our own environment reaches a command.
const environment = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C.UTF-8" }

const collect = <E>(stream: Stream.Stream<Uint8Array, E>): Effect.Effect<string, E> =>
  stream.pipe(
    Stream.mapAccum(0, (total, chunk) => [total + chunk.length, { total: total + chunk.length, chunk }]),
    // Read to the end, or the command blocks on a full pipe; keep only what fits.
    Stream.filter(({ total }) => total <= outputLimit),
    Stream.map(({ chunk }) => chunk),
    Stream.decodeText(),
    Stream.runCollect,
    Effect.map(Chunk.join(""))
  )

/**
 * Runs it to its end. One that takes longer than it may is told to stop and not waited for: a program that waits for a dying disk
 * hears no signal before the disk answers. What is left of it then ends with the helper's unit.
 */
export const runCommand = (
  { argv, install, late, seconds, verb }: RootCommand
): Effect.Effect<Finished, PrivilegedError, CommandExecutor.CommandExecutor> =>
  Effect.flatMap(
    CommandExecutor.CommandExecutor,
    (executor) =>
      executor.start(Command.make(...argv).pipe(Command.env(environment, { extendEnv: false }))).pipe(
        Effect.mapError((error) =>
          new PrivilegedError({
            verb,
            reason: "unavailable",
            detail: error._tag === "SystemError" && error.reason === "NotFound"
              ? `there is no ${argv[0]} on this host: ${install}`
              : error.message
          })
        ),
        Effect.flatMap((process) =>
          Effect.mapError(
            Effect.all(
              { exitCode: process.exitCode, stdout: collect(process.stdout), stderr: collect(process.stderr) },
              {
                concurrency: "unbounded"
              }
            ),
            (error) =>
              new PrivilegedError({ verb, reason: "failed", detail: `${argv[0]} did not end well: ${error.message}` })
          )
        ),
        Effect.scoped,
        Effect.disconnect,
        Effect.interruptible,
        Effect.timeoutFail({
          duration: `${seconds} seconds`,
          onTimeout: () =>
            new PrivilegedError({
              verb,
              reason: "failed",
              detail: `${argv[0]} had not ended after ${seconds} s: ${late}`
            })
        })
      )
  )

/** That it ended with another exit code than 0 is a failure, told in its own words. */
export const unsuccessful = ({ argv, verb }: RootCommand, { exitCode, stderr, stdout }: Finished): PrivilegedError => {
  const said = [stderr.trim(), stdout.trim()].find((text) => text !== "") ?? "it said nothing"
  return new PrivilegedError({
    verb,
    reason: "failed",
    detail: `${argv[0]} ended with ${exitCode}: ${displayTextWithin(said, 500)}`
  })
}

/** Runs it, and gives what it printed; any exit code but 0 is a failure. */
export const outputOf = (
  command: RootCommand
): Effect.Effect<string, PrivilegedError, CommandExecutor.CommandExecutor> =>
  Effect.flatMap(
    runCommand(command),
    (finished) => finished.exitCode === 0 ? Effect.succeed(finished.stdout) : unsuccessful(command, finished)
  )
