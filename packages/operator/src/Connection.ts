import { Options } from "@effect/cli"
import { parsePins, type PeerPins } from "@felhom/domain/PeerPin"
import { Config, Effect, Either, Option, Redacted } from "effect"
import { readFileSync } from "node:fs"
import { OperatorError } from "./OperatorError.ts"

/** The hub to ask, checked: https, pinned, and with a token to show. */
export interface Connection {
  readonly url: URL
  readonly pins: PeerPins
  readonly token: Redacted.Redacted
}

/** Where the hub is, as flags; what a flag does not say the environment may. A token is never an argument. */
export const connectionOptions = {
  hub: Options.text("hub").pipe(
    Options.withDescription("The hub's address, https://HOST:PORT (FELHOM_HUB_URL)"),
    Options.optional
  ),
  fingerprint: Options.text("fingerprint").pipe(
    Options.withDescription(
      "The hub's certificate fingerprint as its start printed it, AA:BB:… or spki:AA:BB:…; two with a comma (FELHOM_HUB_FINGERPRINT)"
    ),
    Options.optional
  ),
  tokenFile: Options.text("token-file").pipe(
    Options.withDescription("A file that holds your hub token; without it FELHOM_TOKEN is used"),
    Options.optional
  )
}

export type ConnectionOptions = { readonly [key in keyof typeof connectionOptions]: Option.Option<string> }

const usage = (detail: string): OperatorError => new OperatorError({ reason: "usage", detail })

const fromEnvironment = (variable: string): Effect.Effect<Option.Option<string>, OperatorError> =>
  Config.option(Config.nonEmptyString(variable)).pipe(
    Effect.mapError((error) => usage(`${variable} does not read: ${String(error)}`))
  )

const setting = (
  flag: Option.Option<string>,
  variable: string,
  missing: string
): Effect.Effect<string, OperatorError> =>
  Effect.flatMap(
    Option.isSome(flag) ? Effect.succeed(flag) : fromEnvironment(variable),
    Option.match({ onNone: () => Effect.fail(usage(missing)), onSome: Effect.succeed })
  )

const hubUrl = (text: string): Effect.Effect<URL, OperatorError> =>
  URL.canParse(text) && new URL(text).protocol === "https:"
    ? Effect.succeed(new URL(text))
    : Effect.fail(usage(`${JSON.stringify(text)} is not a hub's address: expected https://HOST:PORT`))

const tokenFrom = (file: Option.Option<string>): Effect.Effect<string, OperatorError> =>
  Option.match(file, {
    onNone: () =>
      setting(Option.none(), "FELHOM_TOKEN", "no hub token: set FELHOM_TOKEN or name a file with --token-file"),
    onSome: (path) =>
      Effect.try({
        try: () => readFileSync(path, "utf8").trim(),
        catch: (cause) =>
          usage(`cannot read the token file ${path}: ${cause instanceof Error ? cause.message : String(cause)}`)
      })
  })

const tokenPattern = /^felhom_[a-z]+_[A-Za-z0-9_-]{43}$/

const token = (file: Option.Option<string>): Effect.Effect<Redacted.Redacted, OperatorError> =>
  Effect.flatMap(tokenFrom(file), (text) =>
    tokenPattern.test(text)
      ? Effect.succeed(Redacted.make(text))
      // The text itself is never shown: it may be a token but for a letter.
      : Effect.fail(
        usage("the hub token does not look like one: expected felhom_ROLE_ and 43 letters, as token create prints it")
      ))

/** Puts flags and environment together; the flags of a subcommand win over those before it. */
export const connection = (
  options: ConnectionOptions,
  outer: ConnectionOptions
): Effect.Effect<Connection, OperatorError> =>
  Effect.gen(function*() {
    const either = (key: keyof ConnectionOptions) => Option.orElse(options[key], () => outer[key])
    const url = yield* Effect.flatMap(
      setting(either("hub"), "FELHOM_HUB_URL", "no hub: give --hub https://HOST:PORT or set FELHOM_HUB_URL"),
      hubUrl
    )
    const fingerprint = yield* setting(
      either("fingerprint"),
      "FELHOM_HUB_FINGERPRINT",
      "no fingerprint of the hub: give --fingerprint or set FELHOM_HUB_FINGERPRINT; the hub prints it at its start"
    )
    const pins = yield* Either.mapLeft(parsePins(fingerprint), ({ message }) => usage(message))
    return { url, pins, token: yield* token(either("tokenFile")) }
  })
