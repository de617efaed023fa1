import { GoldenName, GoldenVersion } from "@felhom/domain/GoldenManifest"
import { Volid } from "@felhom/domain/ProxmoxId"
import { GoldenOrder } from "@felhom/reconciler/golden/GoldenBuilds"
import { Schema } from "effect"

/** What root asks of the daemon about golden images, over its socket. Closed. */
export const goldenRequests = [
  /** Version null: one above the highest that this host knows. */
  Schema.Struct({
    ask: Schema.Literal("golden.build"),
    order: Schema.Struct({ ...GoldenOrder.fields, version: Schema.NullOr(GoldenVersion) })
  }),
  Schema.Struct({ ask: Schema.Literal("golden.list") }),
  Schema.Struct({
    ask: Schema.Literal("golden.resume", "golden.discard", "golden.draft", "golden.verify"),
    name: GoldenName
  }),
  Schema.Struct({
    ask: Schema.Literal("golden.accept"),
    signed: Schema.Struct({ payload: Schema.String, signatures: Schema.Array(Schema.String) })
  })
] as const
const AnyGoldenRequest = Schema.Union(...goldenRequests)
export type GoldenRequest = typeof AnyGoldenRequest.Type

/** A golden image that was accepted here, or a build of one. */
export const GoldenRow = Schema.Struct({
  name: Schema.String,
  version: Schema.Int,
  /** `accepted`, `building`, `held up`, `to be signed` or `failed`. */
  state: Schema.String,
  volid: Schema.NullOr(Volid),
  /** How far a build has come, or what holds it up. */
  words: Schema.String
})
export type GoldenRow = typeof GoldenRow.Type
