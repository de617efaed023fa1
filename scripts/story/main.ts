import { NodeContext, NodeHttpClient, NodeRuntime } from "@effect/platform-node"
import { Cause, Console, Effect, Exit, Ref } from "effect"
import { story } from "./Story.ts"

const once = process.argv.includes("--once")

const program = Effect.gen(function*() {
  const step = yield* Ref.make("the beginning")
  yield* Effect.scoped(story(step, { once })).pipe(
    Effect.tapError((error) =>
      Effect.flatMap(Ref.get(step), (name) => Console.error(`\nThe story failed at "${name}": ${error.message}`))
    )
  )
}).pipe(Effect.provide([NodeContext.layer, NodeHttpClient.layerUndici]))

NodeRuntime.runMain(program, {
  disableErrorReporting: true,
  teardown: (exit, onExit) =>
    onExit(Exit.match(exit, { onSuccess: () => 0, onFailure: (cause) => (Cause.isInterruptedOnly(cause) ? 0 : 1) }))
})
