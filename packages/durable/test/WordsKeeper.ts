import { Crypto } from "@felhom/domain/port/Crypto"
import { FileSteps } from "@felhom/domain/port/FileSteps"
import * as DurableLog from "@felhom/durable/DurableLog"
import { Effect, Exit, Scope } from "effect"
import type { Disk, Model } from "./ModelFileSystem.ts"
import { makeModel } from "./ModelFileSystem.ts"
import { below, type Keeper, type Promised, type Random } from "./PowerCuts.ts"
import { counting } from "./TestCrypto.ts"

const text = { decode: new TextDecoder(), encode: new TextEncoder() }

/** A log of words that keeps all of them. */
export const openWordsTelling = (broken?: DurableLog.Broken) =>
  DurableLog.open({
    directory: "/state//",
    name: "ops",
    load: (records) => Effect.succeed(records.map((record) => text.decode.decode(record))),
    keep: (words) => words.map((word) => text.encode.encode(word)),
    broken
  })
export const openWords = openWordsTelling()

export const on = <A, E>(
  model: Model,
  use: Effect.Effect<
    A,
    E,
    FileSteps | Crypto | Scope.Scope
  >
) =>
  Effect.scoped(use).pipe(
    Effect.provideService(FileSteps, model.files),
    Effect.provideService(Crypto, counting)
  )

const wordsIn = (model: Model) => on(model, Effect.map(openWords, ({ loaded }) => loaded))

export const wordsOn = (disk: Disk) => wordsIn(makeModel(disk, { history: false }))

/** What a program does with its log. */
export type Step =
  | { readonly _tag: "append"; readonly words: ReadonlyArray<string> }
  | { readonly _tag: "rewrite" }
  | { readonly _tag: "restart" }

type Words = ReadonlyArray<string>

/** Runs the steps; tells which words were promised when. What a start has read counts as promised too. */
export const play = (model: Model, steps: ReadonlyArray<Step>) =>
  on(
    model,
    Effect.gen(function*() {
      const promised: Array<Promised<Words>> = []
      const promise = (word: string) =>
        promised.push({
          from: model.moments.length - 1,
          what: `the word ${word}`,
          holds: (found) => found.includes(word)
        })
      let scope = yield* Scope.make()
      let { loaded, log } = yield* Scope.extend(openWords, scope)
      loaded.forEach(promise)
      let all = [...loaded]
      for (const step of steps) {
        switch (step._tag) {
          case "append":
            yield* Effect.forEach(
              step.words,
              (word) =>
                Effect.map(log.append(text.encode.encode(word)), () => {
                  promise(word)
                  all.push(word)
                }),
              { concurrency: "unbounded", discard: true }
            )
            break
          case "rewrite":
            yield* log.rewrite(all.map((word) => text.encode.encode(word)))
            break
          case "restart":
            yield* Scope.close(scope, Exit.void)
            scope = yield* Scope.make()
            ;({ loaded, log } = yield* Scope.extend(openWords, scope))
            all = [...loaded]
        }
      }
      yield* Scope.close(scope, Exit.void)
      return promised
    })
  )

const anyStep = (random: Random): Step => {
  const kind = below(random, 6)
  if (kind === 0) return { _tag: "rewrite" }
  if (kind === 1) return { _tag: "restart" }
  const words = Array.from(
    { length: 1 + below(random, 4) },
    () => `${below(random, 1e9)} `.repeat(1 + below(random, 4))
  )
  return { _tag: "append", words }
}

/** A log with words in it, in any order of appends, rewrites and restarts. */
export const wordsKeeper: Keeper<Words> = {
  name: "a log of words",
  live: (model, random) =>
    Effect.orDie(play(model, Array.from({ length: 1 + below(random, 5) }, () => anyStep(random)))),
  find: wordsIn
}
