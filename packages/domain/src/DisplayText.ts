/**
 * Names, tags, notes and log lines come from guests and from the wire, and a terminal obeys what it is sent. This makes any
 * text safe to show on one line: control characters (C0, DEL, C1), line and paragraph separators and the marks that turn
 * the direction of text become visible escapes. Letters, emoji and markup stay as they are.
 */
export const displayText = (text: string): string =>
  text.replace(/\p{Surrogate}/gu, "\ufffd").replace(
    /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g,
    escape
  )

const named: { readonly [character: string]: string } = { "\n": "\\n", "\r": "\\r", "\t": "\\t" }

const escape = (character: string): string =>
  named[character] ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`

/** The same, cut to `width` characters with an ellipsis. */
export const displayTextWithin = (text: string, width: number): string => {
  const characters = Array.from(displayText(text))
  return characters.length <= width ? characters.join("") : `${characters.slice(0, Math.max(0, width - 1)).join("")}…`
}
