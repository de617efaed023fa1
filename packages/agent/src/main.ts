import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeTerminal from "@effect/platform-node/NodeTerminal"
import { Cause, Console, Effect, Option } from "effect"
import { runCli } from "./Cli.ts"
import { exitCodeOf, isExplained } from "./ExitCode.ts"

const program = runCli({ environment: process.env, terminal: process.stderr.isTTY })(process.argv).pipe(
  Effect.as(0),
  Effect.catchAllCause((cause) =>
    Option.match(Cause.failureOption(cause), {
      onSome: (error) => (isExplained(error) ? Effect.void : Console.error(`felhom-agent: ${error.message}`)),
      onNone: () => (Cause.isInterruptedOnly(cause) ? Effect.void : Console.error(Cause.pretty(cause)))
    }).pipe(Effect.as(exitCodeOf(cause)))
  ),
  // No more of Node than the commands need: with these, nothing here can start a program.
  Effect.provide([NodeFileSystem.layer, NodePath.layer, NodeTerminal.layer])
)

NodeRuntime.runMain(program, {
  disableErrorReporting: true,
  // The log is set up with the settings; another logger beside it would write to stdout.
  disablePrettyLogger: true,
  // An interrupt that comes before the program could take it is a stop that was asked for.
  teardown: (exit, onExit) => onExit(exit._tag === "Success" && typeof exit.value === "number" ? exit.value : 0)
})
