import { NodeContext, NodeRuntime } from "@effect/platform-node"
import { Effect, Exit, Layer } from "effect"
import * as Input from "./Input.ts"
import { run } from "./OperatorCli.ts"
import { IsTerminal } from "./Root.ts"

run(process.argv).pipe(
  Effect.provide(Input.layer(process.stdin.isTTY === true)),
  Effect.provide([NodeContext.layer, Layer.succeed(IsTerminal, process.stdout.isTTY === true)]),
  NodeRuntime.runMain({
    // What a person can act on was told by `run`; a defect is told here.
    disableErrorReporting: false,
    teardown: (exit, onExit) => onExit(Exit.isSuccess(exit) && typeof exit.value === "number" ? exit.value : 1)
  })
)
