import { Either, Schema } from "effect"
import { strictText, Work } from "./ByteReader.ts"

/** Bytes that are no JSON of the strict kind. `at` is where, in characters from 0. */
export class StrictJsonError extends Schema.TaggedError<StrictJsonError>()("StrictJsonError", {
  reason: Schema.Literal("too-long", "not-utf8", "syntax", "number", "duplicate-key", "too-deep", "text"),
  at: Schema.Int,
  detail: Schema.String
}) {
  override get message(): string {
    return `character ${this.at}: ${this.detail}`
  }
}

export type Json = null | boolean | number | string | ReadonlyArray<Json> | { readonly [key: string]: Json }

/** Deeper documents than any that is signed. */
const deepest = 16

const space = /[ \t\n\r]*/y
const word = /true|false|null/y
const number = /-?\d[\d.eE+-]*/y
const string = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y

const words: { readonly [word: string]: Json } = { true: true, false: false, null: null }

/** Reads one document, and throws a StrictJsonError inside this file only. */
class Reading {
  readonly #text: string
  readonly #work: Work
  #at = 0

  constructor(text: string, work: Work) {
    this.#text = text
    this.#work = work
  }

  document(): Json {
    const value = this.#value(0)
    this.#match(space)
    return this.#at === this.#text.length ? value : this.#fail("syntax", "there is something after the document")
  }

  #fail(reason: StrictJsonError["reason"], detail: string): never {
    throw new StrictJsonError({ reason, at: this.#at, detail })
  }

  /** What the pattern matches right here, which is then behind; undefined when it matches nothing. */
  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)?.[0]
    // A pattern that fails has looked at what is left at most, and then the document is refused: only texts are of any length.
    this.#work.bytes += 1 + (found?.length ?? (pattern === string ? this.#text.length - this.#at : 0))
    this.#at += found?.length ?? 0
    return found
  }

  #next(character: string): boolean {
    this.#match(space)
    const there = this.#text[this.#at] === character
    if (there) this.#at += 1
    return there
  }

  #value(depth: number): Json {
    if (depth > deepest) return this.#fail("too-deep", `it is nested deeper than ${deepest}`)
    if (this.#next("{")) return this.#object(depth)
    if (this.#next("[")) return this.#array(depth)
    const text = this.#text[this.#at] === "\"" ? this.#string() : undefined
    if (text !== undefined) return text
    const named = this.#match(word)
    if (named !== undefined) return words[named] ?? null
    return this.#number()
  }

  #number(): number {
    const start = this.#at
    const text = this.#match(number)
    this.#at = text === undefined ? this.#at : start
    if (text === undefined) return this.#fail("syntax", "no value can begin here")
    const value = Number(text)
    if (!/^(?:0|-?[1-9]\d*)$/.test(text) || !Number.isSafeInteger(value)) {
      return this.#fail("number", "it is not a whole number in its one form")
    }
    this.#at = start + text.length
    return value
  }

  #string(): string {
    const start = this.#at
    const literal = this.#match(string)
    if (literal === undefined) return this.#fail("syntax", "this text has no end, or holds what must be escaped")
    const value: unknown = JSON.parse(literal)
    if (typeof value !== "string" || /\p{Surrogate}/u.test(value)) {
      this.#at = start
      return this.#fail("text", "half of a character pair stands alone")
    }
    return value
  }

  #object(depth: number): Json {
    const entries = new Map<string, Json>()
    if (this.#next("}")) return {}
    do {
      this.#match(space)
      const at = this.#at
      if (this.#text[at] !== "\"") return this.#fail("syntax", "a key is missing")
      const key = this.#string()
      if (entries.has(key)) {
        this.#at = at
        return this.#fail("duplicate-key", `the key ${JSON.stringify(key)} stands there twice`)
      }
      if (!this.#next(":")) return this.#fail("syntax", "a colon is missing")
      entries.set(key, this.#value(depth + 1))
    } while (this.#next(","))
    return this.#next("}") ? Object.fromEntries(entries) : this.#fail("syntax", "an object is not closed")
  }

  #array(depth: number): Json {
    const values: Array<Json> = []
    if (this.#next("]")) return values
    do values.push(this.#value(depth + 1))
    while (this.#next(","))
    return this.#next("]") ? values : this.#fail("syntax", "a list is not closed")
  }
}

/**
 * JSON that reads the same everywhere: UTF-8 without a byte-order mark, at most `longest` bytes, no key twice, whole numbers
 * only, in their one form and small enough to be exact.
 */
export const parseStrictJson = (
  bytes: Uint8Array,
  longest: number,
  work: Work = new Work()
): Either.Either<Json, StrictJsonError> => {
  const refuse = (reason: StrictJsonError["reason"], detail: string) =>
    Either.left(new StrictJsonError({ reason, at: 0, detail }))
  if (bytes.length > longest) return refuse("too-long", `it is longer than ${longest} bytes`)
  const text = strictText(bytes)
  if (text === undefined) return refuse("not-utf8", "it is not UTF-8")
  try {
    return Either.right(new Reading(text, work).document())
  } catch (error) {
    if (error instanceof StrictJsonError) return Either.left(error)
    throw error
  }
}
