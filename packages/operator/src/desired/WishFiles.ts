import { FileSystem, Path } from "@effect/platform"
import { Effect, Either } from "effect"
import { OperatorError } from "../OperatorError.ts"
import { longestFile, type Problem, type ReadWish, readWish } from "./WishText.ts"

/** What was read, and everything that is wrong with it. */
export interface ReadFiles {
  readonly read: ReadonlyArray<ReadWish>
  readonly problems: ReadonlyArray<Problem>
}

const usage = (detail: string): OperatorError => new OperatorError({ reason: "usage", detail })

const isWishFile = (name: string): boolean => /^[^.].*\.(?:ya?ml|json)$/i.test(name)

/** The files that a name means: itself, or those of a folder that end in .yaml, .yml or .json; folders in it are not looked into. */
const filesOf = (named: string) =>
  Effect.gen(function*() {
    const files = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const { type } = yield* files.stat(named)
    if (type !== "Directory") return [named]
    const names = (yield* files.readDirectory(named)).filter(isWishFile).toSorted()
    if (names.length === 0) return yield* usage(`${named} has no file that ends in .yaml, .yml or .json`)
    return names.map((name) => path.join(named, name))
  }).pipe(
    Effect.catchTags({
      SystemError: ({ message }) => usage(`${named} can't be read: ${message}`),
      BadArgument: ({ message }) => usage(`${named} can't be read: ${message}`)
    })
  )

const readFile = (file: string) =>
  Effect.gen(function*() {
    const files = yield* FileSystem.FileSystem
    const { size } = yield* files.stat(file)
    if (size > longestFile) return yield* usage(`${file} is longer than ${longestFile} bytes`)
    const bytes = yield* files.readFile(file)
    const text = yield* Effect.try({
      try: () => new TextDecoder("utf-8", { fatal: true }).decode(bytes),
      catch: () => usage(`${file} is not UTF-8`)
    })
    return readWish(file, text)
  }).pipe(
    Effect.catchTags({
      SystemError: ({ message }) => usage(`${file} can't be read: ${message}`),
      BadArgument: ({ message }) => usage(`${file} can't be read: ${message}`)
    })
  )

/** Reads all of them, also where some can't be used: a person mends a whole folder at once. */
export const readFiles = (
  named: ReadonlyArray<string>
): Effect.Effect<ReadFiles, OperatorError, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function*() {
    const files = Array.from(new Set((yield* Effect.forEach(named, filesOf)).flat()))
    const results = yield* Effect.forEach(files, readFile)
    return {
      read: results.flatMap((result) => Either.isRight(result) ? [result.right] : []),
      problems: results.flatMap((result) => Either.isLeft(result) ? result.left : [])
    }
  })
