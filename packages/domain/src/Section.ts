import { Schema } from "effect"
import { EpochMillis } from "./Time.ts"

/**
 * A part of a report that may have been unreadable. It is either there, with the time it was read, or it says why it is not:
 * an empty list always means that there is nothing, never that nobody could look.
 */
export const Section = <A, I, R>(value: Schema.Schema<A, I, R>) =>
  Schema.Union(
    Schema.Struct({ state: Schema.Literal("ok"), readAt: EpochMillis, value }),
    Schema.Struct({ state: Schema.Literal("unavailable"), reason: Schema.String })
  )

export type Section<A> =
  | { readonly state: "ok"; readonly readAt: EpochMillis; readonly value: A }
  | { readonly state: "unavailable"; readonly reason: string }

export const sectionOk = <A>(readAt: EpochMillis, value: A): Section<A> => ({ state: "ok", readAt, value })

export const sectionUnavailable = (reason: string): Section<never> => ({ state: "unavailable", reason })
