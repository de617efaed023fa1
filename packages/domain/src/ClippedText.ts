import { Schema } from "effect"

/**
 * Text for a record that must be written whatever it says: what is longer than `longest` characters is cut when it is encoded,
 * and never decoded. Words from Proxmox or from a hub may be of any length.
 */
export const ClippedText = (longest: number) =>
  Schema.transform(Schema.String.pipe(Schema.maxLength(longest)), Schema.String, {
    strict: true,
    decode: (text) => text,
    encode: (text) => (text.length <= longest ? text : `${text.slice(0, longest - 1)}…`)
  })
