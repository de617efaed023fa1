import { NodeContext, NodeRuntime } from "@effect/platform-node"
import { Effect } from "effect"
import * as HubCli from "./HubCli.ts"

// Everything in the data folder is for the hub alone.
process.umask(0o077)

HubCli.run(process.argv).pipe(
  Effect.tapDefect((cause) => Effect.logFatal("the hub stopped over a fault of its own", cause)),
  Effect.provide([NodeContext.layer, HubCli.logLayer(process.stderr.isTTY)]),
  NodeRuntime.runMain({
    disableErrorReporting: true,
    disablePrettyLogger: true,
    teardown: (exit, onExit) => onExit(HubCli.exitCodeOf(exit))
  })
)
