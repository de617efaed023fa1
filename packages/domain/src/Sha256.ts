import { Schema } from "effect"

/** A SHA-256 in 64 lower-case hex digits. */
export const Sha256Hex = Schema.String.pipe(
  Schema.pattern(/^[0-9a-f]{64}$/, { message: () => "a SHA-256 is 64 lower-case hex digits" }),
  Schema.brand("Sha256Hex")
)
export type Sha256Hex = typeof Sha256Hex.Type
