import { Context, Effect, Layer, Schema } from "effect"
import { Database } from "./Database.ts"
import { StoreError } from "./StoreError.ts"

/** The incarnation of this hub's store: 128 random bits in hex, made with the store and new whenever the store is new. */
export class StoreEpoch extends Context.Tag("felhom/hub/StoreEpoch")<StoreEpoch, string>() {}

const Row = Schema.Struct({ epoch: Schema.String.pipe(Schema.pattern(/^[0-9a-f]{32}$/)) })

export const layer: Layer.Layer<StoreEpoch, StoreError, Database> = Layer.effect(
  StoreEpoch,
  Effect.gen(function*() {
    const { path, read, sql } = yield* Database
    const [row] = yield* read(Row, sql`SELECT epoch FROM store`)
    return row === undefined
      ? yield* new StoreError({ reason: "corrupt", path, detail: "it has no epoch" })
      : row.epoch
  })
).pipe(Layer.ensureRequirementsType<Database>())
