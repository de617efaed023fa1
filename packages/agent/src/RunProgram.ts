import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import type { FileSystem } from "@effect/platform/FileSystem"
import { Cause, Console, Effect, Option } from "effect"
import { exitCodeOf, type Failure } from "./ExitCode.ts"

/** What a program knows of its errors. */
interface Program<E> {
  readonly isWrongArguments: (error: E) => boolean
  /** What to tell the person; nothing where that has been done already. */
  readonly told: (error: E) => string | undefined
}

/** Runs a command as this process: it ends with the command, says what went wrong, and its exit code says which kind. */
export const runProgram = <A, E extends Failure>(
  command: Effect.Effect<A, E, FileSystem>,
  { isWrongArguments, told }: Program<E>
): void =>
  NodeRuntime.runMain(
    command.pipe(
      Effect.as(0),
      Effect.catchAllCause((cause) =>
        Option.match(Cause.failureOption(cause), {
          onSome: (error) => {
            const message = told(error)
            return message === undefined ? Effect.void : Console.error(`felhom-agent: ${message}`)
          },
          onNone: () => (Cause.isInterruptedOnly(cause) ? Effect.void : Console.error(Cause.pretty(cause)))
        }).pipe(Effect.as(exitCodeOf(cause, isWrongArguments)))
      ),
      // No more of Node than the commands need: with this, nothing here can start a program.
      Effect.provide(NodeFileSystem.layer)
    ),
    {
      disableErrorReporting: true,
      // The log is set up with the settings; another logger beside it would write to stdout.
      disablePrettyLogger: true,
      // An interrupt that comes before the program could take it is a stop that was asked for.
      teardown: (exit, onExit) => onExit(exit._tag === "Success" && typeof exit.value === "number" ? exit.value : 0)
    }
  )
