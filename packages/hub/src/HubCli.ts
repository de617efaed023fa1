import { type CliApp, Command, ValidationError } from "@effect/cli"
import { version } from "@felhom/domain/Version"
import { Cause, Console, Effect, Exit, type Layer, Logger } from "effect"
import { backupCommand, restoreCommand } from "./BackupCommand.ts"
import { serveCommand } from "./ServeCommand.ts"
import { tokenCommand } from "./TokenCommand.ts"

const command = Command.make("hub").pipe(
  Command.withDescription("The reference hub: reports in, envelopes out"),
  Command.withSubcommands([serveCommand, tokenCommand, backupCommand, restoreCommand])
)

/** 0: done, or stopped when asked to; 1: failed; 2: the command line or the environment is wrong. */
export type ExitCode = 0 | 1 | 2

/**
 * Runs the command line, `argv` as Node gives it. Results go to stdout; why it failed is one sentence on stderr (a wrong
 * command line has been told by then).
 */
export const run = (argv: ReadonlyArray<string>): Effect.Effect<ExitCode, never, CliApp.CliApp.Environment> =>
  Command.run(command, { name: "felhom hub", version, executable: "hub" })(argv).pipe(
    Effect.as(0 as const),
    Effect.catchAll((error) =>
      ValidationError.isValidationError(error)
        ? Effect.succeed(2 as const)
        : Effect.as(Console.error(error.message), error._tag === "NotifySettingsError" ? 2 as const : 1 as const)
    )
  )

/** What a run's end means to the shell. An interrupt is a stop that was asked for; a defect is told in full. */
export const exitCodeOf = (exit: Exit.Exit<unknown, unknown>): ExitCode =>
  Exit.match(exit, {
    onSuccess: (code) => code === 1 || code === 2 ? code : 0,
    onFailure: (cause) => Cause.isInterruptedOnly(cause) ? 0 : 1
  })

/** The log goes to stderr: for a person when one is looking, else one JSON object a line. */
export const logLayer = (isTerminal: boolean): Layer.Layer<never> =>
  Logger.replace(
    Logger.defaultLogger,
    isTerminal ? Logger.prettyLogger({ stderr: true }) : Logger.withConsoleError(Logger.jsonLogger)
  )
