import type { EpochMillis } from "@felhom/domain/Time"
import { Either, Option } from "effect"
import { longestPattern } from "./PatternList.ts"
import { readSignerTime } from "./SignerTime.ts"

/** What a line of an allow-list says beyond who and which key. */
export interface SignerOptions {
  /** Patterns; undefined when the key counts in every namespace. */
  readonly namespaces: string | undefined
  /** The first moment at which the key counts. */
  readonly validAfter: EpochMillis | undefined
  /** The last moment at which it counts. */
  readonly validBefore: EpochMillis | undefined
}

export const noOptions: SignerOptions = { namespaces: undefined, validAfter: undefined, validBefore: undefined }

type Read<A> = Either.Either<A, string>

/** `name="value"` at the beginning; in a value, `\"` stands for a quote. */
const option = /^([A-Za-z-]+)(?:="((?:\\"|\\(?!")|[^"\\])*)")?/

const time = (name: string, value: string): Read<EpochMillis> =>
  Option.match(readSignerTime(value), {
    onNone: () =>
      Either.left(`${name} is a time in UTC that exists, like 20271231Z or 20271231235959Z, and not ${value}`),
    onSome: Either.right
  })

const added = (options: SignerOptions, name: string, value: string | undefined): Read<SignerOptions> => {
  const once = <A>(present: A | undefined): Read<string> => {
    if (present !== undefined) return Either.left(`${name} stands there twice`)
    return value === undefined ? Either.left(`${name} needs a value in quotes`) : Either.right(value)
  }
  switch (name) {
    case "namespaces":
      return Either.flatMap(
        once(options.namespaces),
        (namespaces): Read<SignerOptions> =>
          namespaces.split(",").some((pattern) => pattern.length > longestPattern)
            ? Either.left("a pattern of its namespaces is too long to match")
            : Either.right({ ...options, namespaces })
      )
    case "valid-after":
      return Either.flatMap(
        once(options.validAfter),
        (value) => Either.map(time(name, value), (validAfter) => ({ ...options, validAfter }))
      )
    case "valid-before":
      return Either.flatMap(
        once(options.validBefore),
        (value) => Either.map(time(name, value), (validBefore) => ({ ...options, validBefore }))
      )
    case "cert-authority":
      return Either.left(
        "certificates do not count here, so cert-authority can't be honoured; list the keys themselves"
      )
    default:
      return Either.left(`the option ${JSON.stringify(name)} is not known`)
  }
}

const consistent = (options: SignerOptions): Read<SignerOptions> =>
  options.validAfter !== undefined && options.validBefore !== undefined && options.validBefore <= options.validAfter
    ? Either.left("it ends before it begins: valid-before is not later than valid-after")
    : Either.right(options)

/** The options of one line, with commas between them; their names may be in capitals (ALLOWED SIGNERS in ssh-keygen(1)). */
export const readSignerOptions = (text: string): Read<SignerOptions> => {
  let rest = text
  let options = noOptions
  while (true) {
    const found = option.exec(rest)
    if (found === null) return Either.left("its options can't be read")
    const next = added(options, found[1]!.toLowerCase(), found[2]?.replaceAll(`\\"`, `"`))
    if (Either.isLeft(next)) return next
    options = next.right
    rest = rest.slice(found[0].length)
    if (rest === "") return consistent(options)
    if (!rest.startsWith(",")) return Either.left("its options can't be read")
    rest = rest.slice(1)
  }
}
