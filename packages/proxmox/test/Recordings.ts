import { Schema } from "effect"
import answersJson from "../fixtures/answers.json" with { type: "json" }
import refusalsJson from "../fixtures/refusals.json" with { type: "json" }

/** An exchange recorded from a real API; `reason` is the reason phrase, which the client never sees. */
export const Recording = Schema.Struct({
  name: Schema.String,
  method: Schema.String,
  path: Schema.String,
  status: Schema.Int,
  reason: Schema.String,
  body: Schema.String
})
export type Recording = typeof Recording.Type

const decode = Schema.decodeUnknownSync(Schema.Array(Recording))

/** Successful answers for the endpoints that the client calls, one of each shape. */
export const answers: ReadonlyArray<Recording> = decode(answersJson)

/** Every answer that was not a success. */
export const refusals: ReadonlyArray<Recording> = decode(refusalsJson)
