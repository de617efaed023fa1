import { type FileSystem, type HttpClient } from "@effect/platform"
import { NodeContext, NodeHttpClient, NodeRuntime } from "@effect/platform-node"
import { Cause, Console, Effect, Exit, Ref, type Scope } from "effect"
import { Cast, type Running } from "./Program.ts"

/** The end of what each program wrote, so that whoever sees a failure need not run it again to learn more. */
const logs = Effect.gen(function*() {
  for (const program of yield* Ref.get(yield* Cast)) {
    const lines = (yield* program.log).trimEnd().split("\n").slice(-10)
    yield* Console.error(`\nthe last that ${program.name} wrote:\n${lines.map((line) => `  ${line}`).join("\n")}`)
  }
})

/** What a performance is given: a ref for the step that is under way, for the message if that fails. */
type Performance = (
  step: Ref.Ref<string>
) => Effect.Effect<
  void,
  { readonly message: string },
  Scope.Scope | Cast | FileSystem.FileSystem | HttpClient.HttpClient
>

/** Plays it with real programs; why it failed is told, with the step and the end of what each program wrote. */
export const performed = (
  name: string,
  performance: Performance
): Effect.Effect<void, { readonly message: string }, FileSystem.FileSystem | HttpClient.HttpClient> =>
  Effect.gen(function*() {
    const step = yield* Ref.make("the beginning")
    yield* Effect.scoped(performance(step)).pipe(
      Effect.tapError((error) =>
        Effect.flatMap(
          Ref.get(step),
          (at) => Effect.zipRight(Console.error(`\n${name} failed at "${at}": ${error.message}`), logs)
        )
      )
    )
  }).pipe(Effect.provideServiceEffect(Cast, Ref.make<ReadonlyArray<Running>>([])))

/** The same, as the main program of this process: ends with 0, or with 1. */
export const perform = (name: string, performance: Performance): void =>
  NodeRuntime.runMain(
    Effect.provide(performed(name, performance), [NodeContext.layer, NodeHttpClient.layerUndici]),
    {
      disableErrorReporting: true,
      teardown: (exit, onExit) =>
        onExit(Exit.match(exit, { onSuccess: () => 0, onFailure: (cause) => (Cause.isInterruptedOnly(cause) ? 0 : 1) }))
    }
  )
