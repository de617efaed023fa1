import { Work } from "@felhom/domain/ByteReader"
import { Either, FastCheck as fc } from "effect"
import { mutants } from "./Mutation.ts"

/** A parser of bytes that somebody else wrote. */
export interface Target {
  readonly name: string
  /** Inputs that it takes. */
  readonly seeds: ReadonlyArray<Uint8Array>
  /**
   * Reads the input: whatever is wrong with it is a left with a text or a tagged error; anything thrown is a fault. What the
   * parser looks at is counted in `work`, where it counts at all.
   */
  readonly read: (input: Uint8Array, work: Work) => Either.Either<unknown, string | { readonly _tag: string }>
  /** How often a byte of the input may be looked at. Undefined when the parser does not count. */
  readonly looksPerByte: number | undefined
}

/** How many inputs were taken and how many refused; without either the run would have shown little. */
export interface Tally {
  readonly accepted: number
  readonly refused: number
}

/** What an empty input may cost. */
const constantWork = 64

const objection = (target: Target, input: Uint8Array, count: (accepted: boolean) => void): string | undefined => {
  const work = new Work()
  const answer = target.read(input, work)
  count(Either.isRight(answer))
  if (Either.isLeft(answer) && typeof answer.left !== "string" && typeof answer.left._tag !== "string") {
    return "it was refused without a typed error"
  }
  const most = (target.looksPerByte ?? Infinity) * input.length + constantWork
  return work.bytes > most ? `it took ${work.bytes} looks at ${input.length} bytes` : undefined
}

/** Reads so many mutants of the seeds. Throws with the smallest input that shows a fault, and the seed that leads to it. */
export const fuzz = (target: Target, runs: number, seed: number): Tally => {
  let accepted = 0
  let refused = 0
  const count = (taken: boolean): void => {
    if (taken) accepted += 1
    else refused += 1
  }
  fc.assert(
    fc.property(mutants(target.seeds), (input) => {
      const fault = objection(target, input, count)
      if (fault !== undefined) throw new Error(`${target.name}: ${fault}`)
    }),
    { numRuns: runs, seed }
  )
  return { accepted, refused }
}
