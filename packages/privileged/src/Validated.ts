import { Effect, Schema } from "effect"
import { PrivilegedError } from "./Privileged.ts"
import { problemWords } from "./ProblemWords.ts"
import type { RootExchange } from "./RootExchange.ts"

/** The request as its schema has it, checked again from scratch by the side that acts on it: it may have been cast into shape. */
export const validated = <A, I, B, J>({ request, verb }: RootExchange<A, I, B, J>, unchecked: unknown) =>
  Effect.mapError(
    Schema.validate(request, { onExcessProperty: "error" })(unchecked),
    (error) => new PrivilegedError({ verb, reason: "invalid", detail: problemWords(error) })
  )
