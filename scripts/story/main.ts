import { NodeContext, NodeHttpClient, NodeRuntime } from "@effect/platform-node"
import { Cause, Console, Effect, Exit, Ref } from "effect"
import { Cast, type Running } from "./Program.ts"
import { story } from "./Story.ts"

const once = process.argv.includes("--once")

/** The end of what each program wrote, so that whoever sees a failure need not run it again to learn more. */
const logs = Effect.gen(function*() {
  for (const program of yield* Ref.get(yield* Cast)) {
    const lines = (yield* program.log).trimEnd().split("\n").slice(-10)
    yield* Console.error(`\nthe last that ${program.name} wrote:\n${lines.map((line) => `  ${line}`).join("\n")}`)
  }
})

const program = Effect.gen(function*() {
  const step = yield* Ref.make("the beginning")
  yield* Effect.scoped(story(step, { once })).pipe(
    Effect.tapError((error) =>
      Effect.flatMap(
        Ref.get(step),
        (name) => Effect.zipRight(Console.error(`\nThe story failed at "${name}": ${error.message}`), logs)
      )
    )
  )
}).pipe(
  Effect.provideServiceEffect(Cast, Ref.make<ReadonlyArray<Running>>([])),
  Effect.provide([NodeContext.layer, NodeHttpClient.layerUndici])
)

NodeRuntime.runMain(program, {
  disableErrorReporting: true,
  teardown: (exit, onExit) =>
    onExit(Exit.match(exit, { onSuccess: () => 0, onFailure: (cause) => (Cause.isInterruptedOnly(cause) ? 0 : 1) }))
})
