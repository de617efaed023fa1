import { DurableFileError } from "@felhom/domain/port/DurableFile"
import { Predicate } from "effect"

/** What Node threw, as the error that names the operation and the path. */
export const fileFailure = (operation: DurableFileError["operation"], path: string) => (cause: unknown) => {
  const code = Predicate.hasProperty(cause, "code") && typeof cause.code === "string" ? cause.code : "unknown"
  const words = cause instanceof Error ? cause.message : String(cause)
  // Node's message begins with the code, which the error shows by itself.
  return new DurableFileError({ operation, path, code, detail: words.replace(`${code}: `, "") })
}
