import { Options } from "@effect/cli"
import { Either } from "effect"

/** Every option that may be given several times, with its short name. */
const repeated = { file: "f" } as const

type Repeated = keyof typeof repeated

/** An option with a text that is given once at least, and may be given several times. */
export const repeatedOption = (name: Repeated): Options.Options<Array<string>> =>
  Options.text(name).pipe(Options.withAlias(repeated[name]), Options.atLeast(1))

const flags: ReadonlySet<string> = new Set(
  Object.entries(repeated).flatMap(([long, short]) => [`--${long}`, `-${short}`])
)

const isFlag = (text: string): boolean => text.startsWith("-") && text.length > 1

/**
 * The arguments as `@effect/cli` can read them. Of an option that may be given several times it knows `--name VALUE` alone: it
 * takes `--name=VALUE` for an argument that nobody asked for, and passes over one without a value in silence. A sentence says
 * which one lacks its value.
 */
export const spelledOut = (args: ReadonlyArray<string>): Either.Either<ReadonlyArray<string>, string> => {
  const read: Array<string> = []
  for (let at = 0; at < args.length; at += 1) {
    const arg = args[at] ?? ""
    const cut = arg.indexOf("=")
    const flag = cut === -1 ? arg : arg.slice(0, cut)
    if (!flags.has(flag)) {
      read.push(arg)
      continue
    }
    const value = cut === -1 ? args[at += 1] ?? "" : arg.slice(cut + 1)
    if (value === "" || (cut === -1 && isFlag(value))) {
      return Either.left(
        `${flag} has no value: write ${flag} FILE, once for each; a name that begins with - as ./-NAME`
      )
    }
    read.push(flag, value)
  }
  return Either.right(read)
}
