import { Schema } from "effect"

/**
 * What one operation is called in a host's journal, audit chain and events: 128 bits in hex. Of a signed op the
 * first half of its payload's SHA-256, so that the same bytes are the same op over restarts.
 */
export const OpId = Schema.String.pipe(
  Schema.pattern(/^[0-9a-f]{32}$/, { message: () => "an op id is 32 lower-case hex digits" }),
  Schema.brand("OpId")
)
export type OpId = typeof OpId.Type
