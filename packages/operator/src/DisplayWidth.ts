const graphemes = new Intl.Segmenter("en", { granularity: "grapheme" })

const invisible = /^[\p{Mn}\p{Me}\p{Default_Ignorable_Code_Point}]/u
const emoji = /\p{Emoji_Presentation}|\p{Extended_Pictographic}\ufe0f|\p{Regional_Indicator}{2}|\u20e3/u
// East Asian Wide and Fullwidth (Unicode UAX 11), as far as scripts and blocks tell.
const wide =
  /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Bopomofo}\p{Script=Yi}\u3000-\u303e\u30fb-\u30ff\uff01-\uff60\uffe0-\uffe6]/u
const halfwidth = /^[\uff61-\uffdc]/

// The vowels and finals of a Korean syllable stand inside of its first letter's two columns.
const insideSyllable = /^[\u1160-\u11ff]/

const characterWidth = (character: string): number =>
  invisible.test(character) || insideSyllable.test(character)
    ? 0
    : !halfwidth.test(character) && wide.test(character)
    ? 2
    : 1

const graphemeWidth = (grapheme: string): number =>
  emoji.test(grapheme) ? 2 : Array.from(grapheme).reduce((width, character) => width + characterWidth(character), 0)

/** How many terminal columns a text takes: two for an emoji or an East Asian wide character, none for a combining mark. */
export const displayWidth = (text: string): number => {
  let width = 0
  for (const { segment } of graphemes.segment(text)) width += graphemeWidth(segment)
  return width
}

/** Cut to at most `width` columns, an ellipsis in place of what is gone; never through the middle of a character. */
export const cutToWidth = (text: string, width: number): string => {
  if (displayWidth(text) <= width) return text
  let kept = ""
  let used = 0
  for (const { segment } of graphemes.segment(text)) {
    used += graphemeWidth(segment)
    if (used > width - 1) break
    kept += segment
  }
  return `${kept}…`
}
