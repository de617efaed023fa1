import { Cause, Effect, Exit, FastCheck as fc } from "effect"
import { setImmediate } from "node:timers/promises"
import { documentMutants } from "./JsonMutation.ts"
import type { Tally } from "./Target.ts"

/** What a server that lies may answer, and whoever asked it. */
export interface AnswerTarget {
  readonly name: string
  /** Bodies of answers that it takes, in JSON. */
  readonly seeds: ReadonlyArray<string>
  /** Asks, and is answered with this status and body. Whatever is wrong with those is a typed error; a defect is a fault. */
  readonly ask: (status: number, body: Uint8Array) => Effect.Effect<unknown, { readonly _tag: string }>
}

interface Answer {
  readonly status: number
  readonly body: Uint8Array
}

const answers = (seeds: ReadonlyArray<string>): fc.Arbitrary<Answer> =>
  fc.record({
    status: fc.oneof(
      { weight: 12, arbitrary: fc.constant(200) },
      fc.constantFrom(201, 206, 302, 400, 401, 403, 404, 413, 429, 500, 501, 503, 595, 596, 599)
    ),
    body: documentMutants(seeds)
  })

/** How many mutants are made at a time, so that a long run needs no more memory than a short one. */
const batch = 1000

/** Gives so many mutants of the answers. Dies with the answer that led to a fault, in full, to try again. */
export const fuzzAnswers = (target: AnswerTarget, runs: number, seed: number): Effect.Effect<Tally> =>
  Effect.gen(function*() {
    const tally = { accepted: 0, refused: 0 }
    for (let done = 0; done < runs; done += batch) {
      const some = fc.sample(answers(target.seeds), { numRuns: Math.min(batch, runs - done), seed: seed + done })
      for (const [index, { body, status }] of some.entries()) {
        // Whoever runs this must be heard from in between.
        if (index % 50 === 0) yield* Effect.promise(() => setImmediate())
        const exit = yield* Effect.exit(target.ask(status, body))
        if (Exit.isSuccess(exit)) tally.accepted += 1
        else if (Cause.isFailType(exit.cause) && typeof exit.cause.error._tag === "string") tally.refused += 1
        else {
          const inFull = Buffer.from(body).toString("base64")
          return yield* Effect.dieMessage(
            `${target.name}: status ${status}, body ${inFull} in base64: ${Cause.pretty(exit.cause)}`
          )
        }
      }
    }
    return tally
  })
