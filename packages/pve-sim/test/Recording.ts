import { Schema } from "effect"
import { readdirSync, readFileSync } from "node:fs"

const folder = new URL("../fixtures/scenario/", import.meta.url)

/** One exchange recorded from a real host. */
export const Recording = Schema.Struct({
  n: Schema.Int,
  slug: Schema.String,
  request: Schema.Struct({
    method: Schema.String,
    path: Schema.String,
    headers: Schema.Record({ key: Schema.String, value: Schema.String }),
    body: Schema.NullOr(Schema.String)
  }),
  response: Schema.Struct({
    status: Schema.Int,
    reason: Schema.String,
    headers: Schema.Array(Schema.Tuple(Schema.String, Schema.String)),
    body_json: Schema.Unknown,
    body_text: Schema.NullOr(Schema.String)
  })
})
export type Recording = typeof Recording.Type

const decode = Schema.decodeUnknownSync(Schema.parseJson(Recording))

/** The whole scenario, in order. */
export const scenario: ReadonlyArray<Recording> = readdirSync(folder)
  .filter((name) => name.endsWith(".json"))
  .map((name) => decode(readFileSync(new URL(name, folder), "utf8")))
  .sort((a, b) => a.n - b.n)

/** What the replay needs of the world in which the scenario starts. */
export const recordedWorld = Schema.decodeUnknownSync(Schema.parseJson(Schema.Struct({
  taken_at_unix: Schema.Struct({ time: Schema.Int }),
  tokens: Schema.Array(Schema.Struct({ tokenid: Schema.String }))
})))(readFileSync(new URL("../fixtures/world.json", import.meta.url), "utf8"))
