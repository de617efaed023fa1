import { NodeContext, NodeRuntime } from "@effect/platform-node"
import { Effect } from "effect"
import * as Cli from "./Cli.ts"

Cli.run(process.argv).pipe(
  Effect.tapDefect((cause) => Effect.logFatal("the simulator stopped over a fault of its own", cause)),
  Effect.provide(NodeContext.layer),
  NodeRuntime.runMain({
    disableErrorReporting: true,
    teardown: (exit, onExit) => onExit(Cli.exitCodeOf(exit))
  })
)
