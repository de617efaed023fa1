import { Prompt } from "@effect/cli"
import { Context, Effect, Layer, Redacted } from "effect"
import { readFileSync } from "node:fs"
import { OperatorError } from "./OperatorError.ts"

/** What a person types, or another program writes to stdin. A service, so that a test can be that person. */
export class Input extends Context.Tag("felhom/operator/Input")<Input, {
  /** Not shown while it is typed. */
  readonly secret: (question: string) => Effect.Effect<Redacted.Redacted, OperatorError>
  readonly line: (question: string) => Effect.Effect<string, OperatorError>
}>() {}

const stopped = (): OperatorError => new OperatorError({ reason: "usage", detail: "nothing was entered" })

const wholeInput = Effect.try({
  try: () => readFileSync(0, "utf8").trim(),
  catch: stopped
}).pipe(Effect.filterOrFail((text) => text !== "", stopped))

/** Asks at a terminal without an echo of secrets; else reads all of stdin, which is the answer. */
export const layer = (isTerminal: boolean): Layer.Layer<Input, never, Prompt.Prompt.Environment> =>
  Layer.effect(
    Input,
    Effect.map(Effect.context<Prompt.Prompt.Environment>(), (context) => {
      const asked = <A>(prompt: Prompt.Prompt<A>) =>
        Prompt.run(prompt).pipe(Effect.mapError(stopped), Effect.provide(context))
      return Input.of(
        isTerminal
          ? {
            secret: (message) => asked(Prompt.password({ message })),
            line: (message) => asked(Prompt.text({ message }))
          }
          : { secret: () => Effect.map(wholeInput, Redacted.make), line: () => wholeInput }
      )
    })
  ).pipe(Layer.ensureRequirementsType<Prompt.Prompt.Environment>())
