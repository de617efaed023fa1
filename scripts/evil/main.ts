import { NodeContext, NodeHttpClient, NodeRuntime } from "@effect/platform-node"
import { Effect } from "effect"
import { exitCodeOf, run } from "./Cli.ts"

run(process.argv).pipe(
  Effect.provide([NodeContext.layer, NodeHttpClient.layerUndici]),
  NodeRuntime.runMain({ teardown: (exit, onExit) => onExit(exitCodeOf(exit)) })
)
