import type { DurableFileError } from "@felhom/domain/port/DurableFile"
import { Schema } from "effect"

/**
 * A log can't be trusted, or takes no more. What needs it is not done; what does not, like reporting, goes on.
 *
 * - `io`: a write, sync or rename failed just now. From here on the log takes nothing until it is opened anew: whether
 *   what failed is on the disk can't be known, and asking again is answered wrongly (a second fsync says yes).
 * - `poisoned`: that happened before.
 * - `full`: less is free than must be left for what is under way.
 * - `damaged`: bytes in its middle can't be read.
 * - `lost`: it, or its beginning, was there and is gone.
 * - `unreadable`: a record in it says nothing that this version knows.
 */
export class DurableLogError extends Schema.TaggedError<DurableLogError>()("DurableLogError", {
  reason: Schema.Literal("io", "poisoned", "full", "damaged", "lost", "unreadable"),
  path: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `${this.path}: ${this.detail}; ${advice[this.reason]}`
  }
}

const anew =
  "it takes nothing more until it is opened anew: mend the disk; the agent does that by itself once it can " +
  "keep its state again"
const aside =
  "look at the disk's health and keep a copy of the file. Nothing that needs it is done until it was restored, or " +
  "moved away together with its .init file"

const advice: { readonly [reason in DurableLogError["reason"]]: string } = {
  io: anew,
  poisoned: anew,
  full: "no new operation is taken before space was made on that file system",
  damaged: aside,
  lost: aside,
  unreadable: `was it written by a newer felhom-agent? ${aside}`
}

/** A step on the disk that failed, as the log's own error. */
export const ioFailure = (path: string) => (error: DurableFileError): DurableLogError =>
  new DurableLogError({
    reason: "io",
    path,
    detail: `cannot ${error.operation} ${error.path}: ${error.detail} (${error.code})`
  })
