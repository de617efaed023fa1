import { Lexer } from "yaml"

/** Deeper than anything that a file of wishes says. */
export const deepestNesting = 32

/**
 * Where a text first nests deeper than that, in characters from 0; undefined where it does not. The library composes a document by
 * recursion, and a text of brackets alone would end the program, so this is asked before, of its tokens.
 */
export const tooDeepAt = (text: string): number | undefined => {
  const indents: Array<number> = []
  let [offset, flow, marks, isLineStart] = [0, 0, 0, true]
  for (const token of new Lexer().lex(text)) {
    if (/^[\r\n]/.test(token)) {
      isLineStart = true
      marks = 0
    } else if (isLineStart && flow === 0) {
      const indent = /^ +$/.test(token) ? token.length : 0
      while ((indents.at(-1) ?? -1) >= indent) indents.pop()
      indents.push(indent)
      isLineStart = false
    }
    if (token === "[" || token === "{") flow += 1
    else if (token === "]" || token === "}") flow -= 1
    else if (token === "-" || token === "?") marks += 1
    if (flow + marks + indents.length > deepestNesting) return offset
    // Its own marks of what comes next stand for no text.
    if (!/^[\u0002\u0018\u001f\ufeff]$/.test(token)) offset += token.length
  }
  return undefined
}
