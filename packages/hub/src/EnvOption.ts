import { HelpDoc, Options, ValidationError } from "@effect/cli"
import { Config, ConfigError, Effect, Either } from "effect"

/**
 * A flag `--name VALUE` that may also stand in the environment as `variable`; the flag wins. `parse` gives the value, or one
 * sentence on why the text is none.
 */
export const envOption = <A>(
  name: string,
  variable: string,
  description: string,
  parse: (text: string) => Either.Either<A, string>
): Options.Options<A> =>
  Options.text(name).pipe(
    Options.withDescription(`${description} (${variable})`),
    Options.mapEffect((text) =>
      Effect.mapError(parse(text), (why) => ValidationError.invalidValue(HelpDoc.p(`--${name}: ${why}`)))
    ),
    Options.withFallbackConfig(
      Config.mapOrFail(Config.nonEmptyString(variable), (text) =>
        Either.mapLeft(parse(text), (why) => ConfigError.InvalidData([], why)))
    )
  )

/** Reads a whole number within bounds. */
export const wholeNumber = (from: number, to: number) => (text: string): Either.Either<number, string> => {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
  return value >= from && value <= to
    ? Either.right(value)
    : Either.left(`${JSON.stringify(text)} is not a whole number between ${from} and ${to}`)
}

const units: { readonly [unit: string]: number } = { "": 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3, T: 1024 ** 4 }

/** Reads a size such as `500M` or `4G`, of at least so many bytes. */
export const byteSize = (atLeast: number) => (text: string): Either.Either<number, string> => {
  const [, digits, unit] = /^(\d{1,15})([KMGT]?)$/.exec(text) ?? []
  const size = Number(digits ?? Number.NaN) * (units[unit ?? ""] ?? Number.NaN)
  return size >= atLeast && Number.isSafeInteger(size)
    ? Either.right(size)
    : Either.left(`${JSON.stringify(text)} is not a size such as 500M or 4G, of at least ${atLeast / 1024 ** 2}M`)
}
