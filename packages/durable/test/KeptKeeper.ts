import { DurableFile } from "@felhom/domain/port/DurableFile"
import { makeKeptDocument } from "@felhom/durable/KeptDocument"
import { Effect, Option, Schema } from "effect"
import type { Model } from "./ModelFileSystem.ts"
import { below, type Keeper, type Promised, type Random } from "./PowerCuts.ts"

const Kept = Schema.Struct({ typ: Schema.Literal("test/kept/v1"), version: Schema.NonNegativeInt, text: Schema.String })

/** Whole files in the steps that the real ones take. */
const wholeFiles = ({ files }: Model): typeof DurableFile.Service => ({
  read: files.read,
  replace: (path, content) =>
    Effect.scoped(Effect.gen(function*() {
      const file = yield* files.create(`${path}.new`)
      yield* file.append(content)
      yield* file.sync
      yield* files.rename(`${path}.new`, path)
      yield* files.syncFolder("/state")
    }))
})

const start = (model: Model) =>
  Effect.provideService(
    makeKeptDocument({ path: "/state/kept.json", schema: Kept, understand: () => Effect.void }),
    DurableFile,
    wholeFiles(model)
  )

const versionOf = (kept: Option.Option<typeof Kept.Type>): number =>
  Option.match(kept, { onNone: () => 0, onSome: ({ version }) => version })

const findIn = (model: Model) => Effect.flatMap(start(model), (document) => Effect.map(document.current, versionOf))

const lived = (model: Model, random: Random) =>
  Effect.gen(function*() {
    const promised: Array<Promised<number>> = []
    const promise = (version: number) =>
      promised.push({
        from: model.moments.length - 1,
        what: `version ${version}`,
        holds: (found) => found >= version
      })
    for (let restart = 0; restart <= below(random, 3); restart++) {
      const document = yield* start(model)
      promise(versionOf(yield* document.current))
      for (let change = 0; change < 1 + below(random, 4); change++) {
        const kept = yield* document.change((current) =>
          Effect.sync(() => ({
            typ: "test/kept/v1" as const,
            version: versionOf(current) + 1,
            text: `${below(random, 1e9)} `.repeat(1 + below(random, 8))
          }))
        )
        promise(kept.version)
      }
    }
    return promised
  })

/** A document that is replaced whole, and goes up: the lists of signers, the policy and the desired state that a host took. */
export const keptKeeper: Keeper<number> = {
  name: "a kept document",
  live: (model, random) => Effect.orDie(lived(model, random)),
  find: findIn
}
