import { Either, ParseResult, Schema, type SchemaAST } from "effect"
import { type Document, isMap, isNode, isScalar, isSeq, type Node, parseDocument, visit } from "yaml"
import { nearest } from "./Nearest.ts"
import { deepestNesting, tooDeepAt } from "./Nesting.ts"
import { keyHints, WishFile } from "./WishFile.ts"

/** What is wrong with a file, and where: lines and columns from 1. */
export interface Problem {
  readonly file: string
  readonly line: number
  readonly column: number
  readonly what: string
}

type Path = ReadonlyArray<PropertyKey>

/** A file that was read, and where in it something stands. */
export interface ReadWish {
  readonly file: string
  readonly wish: WishFile
  /** A problem with what stands at this path: with its key, where it has one. */
  readonly problem: (path: Path, what: string) => Problem
}

/** More of a file than anybody writes, in bytes. */
export const longestFile = 1024 * 1024

/** Longer sentences say no more. */
const longestSentence = 240

/** Problems of one file that are told at once. */
const mostProblems = 50

/** The part of a schema that stands for what is written in the file. */
const written = (ast: SchemaAST.AST): SchemaAST.AST => {
  switch (ast._tag) {
    case "Refinement":
    case "Transformation":
      return written(ast.from)
    case "Union":
      return written(ast.types.find((type) => type._tag !== "UndefinedKeyword") ?? ast.types[0])
    default:
      return ast
  }
}

/** The keys that are known at this place of a file. */
const knownKeys = (schema: SchemaAST.AST, path: Path): ReadonlyArray<string> => {
  const ast = written(schema)
  if (ast._tag !== "TypeLiteral") return []
  const [first, ...rest] = path
  if (first === undefined) return ast.propertySignatures.map(({ name }) => String(name))
  const inner = ast.propertySignatures.find(({ name }) => name === first)?.type ?? ast.indexSignatures[0]?.type
  return inner === undefined ? [] : knownKeys(inner, rest)
}

const unknownKey = (path: Path): string => {
  const key = String(path.at(-1))
  const hint = keyHints[String(path.at(-2))]
  if (hint !== undefined) return `${JSON.stringify(key)} is none: ${hint}`
  const keys = knownKeys(WishFile.ast, path.slice(0, -1))
  const meant = nearest(key, keys)
  return `${JSON.stringify(key)} is not known here; ${
    meant === undefined
      ? `if a newer felhom knows it, update this one (felhom --version); known are ${keys.join(", ")}`
      : `is ${meant} meant?`
  }`
}

const sentenceOf = ({ _tag, message, path }: ParseResult.ArrayFormatterIssue): string => {
  switch (_tag) {
    case "Unexpected":
      return unknownKey(path)
    case "Missing":
      return `${String(path.at(-1))} is missing`
    default:
      return message.replace(/^Expected /, "expected ").replace(/, actual /, ", found ")
  }
}

/** An optional value is undefined or what it should be, and that it is not undefined helps nobody. */
const isNews = ({ message }: ParseResult.ArrayFormatterIssue): boolean => !message.startsWith("Expected undefined")

/** Several issues with one value are one: it may be any of several words, and is none of them. */
const told = (issues: ReadonlyArray<ParseResult.ArrayFormatterIssue>): ReadonlyArray<readonly [Path, string]> => {
  const byPlace = new Map<string, readonly [path: Path, sentences: ReadonlyArray<string>]>()
  for (const issue of issues) {
    const place = JSON.stringify(issue.path.map(String))
    byPlace.set(place, [issue.path, [...(byPlace.get(place)?.[1] ?? []), sentenceOf(issue)]])
  }
  return Array.from(byPlace.values(), ([path, sentences]) => {
    const [last = ""] = sentences.slice(-1)
    const words = sentences.slice(0, -1).map((sentence) => sentence.replace(/, found .*$/s, ""))
    return [path, [...words, last.replace(/^expected /, words.length > 0 ? "" : "expected ")].join(" or ")] as const
  })
}

const isBefore = (one: Problem, other: Problem): number => one.line - other.line || one.column - other.column

const keyed = (node: unknown): string | undefined => isScalar(node) ? String(node.value) : undefined

const offsetOfKey = (key: unknown, otherwise = 0): number => (isNode(key) ? key.range?.[0] : undefined) ?? otherwise

/** Where something stands: its key, where it has one, or the innermost of what is around it. */
const offsetOf = (root: Node | null, path: Path): number => {
  let node: unknown = root
  let offset = root?.range?.[0] ?? 0
  for (const part of path) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => keyed(key) === String(part))
      if (pair === undefined) return offset
      offset = offsetOfKey(pair.key, offset)
      node = pair.value
    } else if (isSeq(node)) {
      node = node.items[Number(part)]
      offset = (isNode(node) ? node.range?.[0] : undefined) ?? offset
    } else return offset
  }
  return offset
}

const decode = Schema.decodeUnknownEither(WishFile, { errors: "all", onExcessProperty: "error" })

/** What the library says of a file that is no YAML, and what we don't take of what is. */
const faults = (document: Document.Parsed): ReadonlyArray<readonly [offset: number, what: string]> => {
  const found = [...document.errors, ...document.warnings].map(({ code, message, pos }) =>
    [
      pos[0],
      code === "TAB_AS_INDENT"
        ? "a tab can't indent YAML: use spaces"
        : code === "MULTIPLE_DOCS"
        ? "one file holds one document: put what follows into a file of its own"
        : message
    ] as const
  )
  const others: Array<readonly [offset: number, what: string]> = []
  visit(document, {
    // The library compares each key with all the others, which takes minutes where there are many.
    Map: (_, { items }) => {
      const keys = new Set<string>()
      for (const { key } of items) {
        const name = keyed(key)
        if (name === undefined) continue
        if (keys.has(name)) others.push([offsetOfKey(key), "this key stands there twice"])
        keys.add(name)
      }
    },
    Alias: (_, { range, source }) => {
      // A few of them can stand for more than any memory holds.
      others.push([range?.[0] ?? 0, `*${source}: write it out; what stands elsewhere (&, *) is not taken here`])
    }
  })
  return [...found, ...others].toSorted(([one], [other]) => one - other)
}

/** A problem at so many characters from 0. */
const placeIn = (file: string, text: string, offset: number, what: string): Problem => {
  const before = text.slice(0, offset).split("\n")
  const sentence = Array.from(what)
  return {
    file,
    line: before.length,
    column: (before.at(-1) ?? "").length + 1,
    what: sentence.length <= longestSentence ? what : `${sentence.slice(0, longestSentence - 1).join("")}…`
  }
}

/** Reads YAML, or JSON, which is YAML, too. All that is wrong with it at once, first things first. */
export const readWish = (file: string, text: string): Either.Either<ReadWish, ReadonlyArray<Problem>> => {
  const at = (offset: number, what: string) => placeIn(file, text, offset, what)
  const refuse = (problems: ReadonlyArray<Problem>) => Either.left(problems)
  if (text.length > longestFile) return refuse([at(0, `it is longer than ${longestFile} bytes`)])
  const deep = tooDeepAt(text)
  if (deep !== undefined) return refuse([at(deep, `it is nested deeper than ${deepestNesting}`)])
  const document = parseDocument(text, { prettyErrors: false, stringKeys: true, uniqueKeys: false })
  const wrong = faults(document)
  if (wrong.length > 0) return refuse(wrong.slice(0, mostProblems).map(([offset, what]) => at(offset, what)))
  const root = document.contents
  if (root === null || (isScalar(root) && root.value === null)) {
    return refuse([at(0, "it is empty: it says for which host it is, and what its guests should be")])
  }
  const problem = (path: Path, what: string): Problem => {
    const place = path.map(String).join(".")
    return at(offsetOf(root, path), place === "" ? what : `${place}: ${what}`)
  }
  const value: unknown = document.toJS({ maxAliasCount: 0 })
  return Either.mapBoth(decode(value), {
    onLeft: (error) =>
      told(ParseResult.ArrayFormatter.formatErrorSync(error).filter(isNews).slice(0, 4 * mostProblems))
        .map(([path, sentence]) => problem(path, sentence)).toSorted(isBefore).slice(0, mostProblems),
    onRight: (wish) => ({ file, wish, problem })
  })
}
