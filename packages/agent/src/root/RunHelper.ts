import * as NodeCommandExecutor from "@effect/platform-node/NodeCommandExecutor"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import type { CommandExecutor } from "@effect/platform/CommandExecutor"
import { Effect, Layer } from "effect"
import { readLine, writeLine } from "./Connection.ts"

// The agent writes its line at once; whoever holds a connection open without one is not the agent.
const readLimitMillis = 5000

/**
 * Runs as a root helper: standard input and output are the one connection that systemd accepted (`Accept=yes`). One line in, one line
 * out, and the process ends with 0, since a refusal is an answer, too; what no answer tells stands in the journal.
 */
export const runHelper = (
  answer: (line: Effect.Effect<string, string>) => Effect.Effect<string, never, CommandExecutor>
): void => {
  for (const name of Object.keys(process.env)) delete process.env[name]
  process.umask(0o022)
  NodeRuntime.runMain(
    answer(readLine(process.stdin, readLimitMillis)).pipe(
      Effect.flatMap((line) => writeLine(process.stdout, line)),
      Effect.provide(Layer.provide(NodeCommandExecutor.layer, NodeFileSystem.layer))
    ),
    {
      disablePrettyLogger: true,
      // At once, whoever is still waited for: a program that hangs on a dying disk ends with the unit.
      teardown: (exit) => process.exit(exit._tag === "Success" ? 0 : 1)
    }
  )
}
