import { Options } from "@effect/cli"
import { parsePins, type PeerPins } from "@felhom/domain/PeerPin"
import type { DurableFile } from "@felhom/domain/port/DurableFile"
import { Config, Effect, Either, Option, Redacted } from "effect"
import { readFileSync } from "node:fs"
import { type Login, readLogin } from "./LoginFile.ts"
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

/** From the flag, else the environment, else the last login. */
const setting = (
  flag: Option.Option<string>,
  variable: string,
  login: Option.Option<string>,
  missing: string
): Effect.Effect<string, OperatorError> =>
  Effect.flatMap(
    Option.isSome(flag) ? Effect.succeed(flag) : fromEnvironment(variable),
    (given) =>
      Option.match(Option.orElse(given, () => login), {
        onNone: () => Effect.fail(usage(missing)),
        onSome: Effect.succeed
      })
  )

const hubUrl = (text: string): Effect.Effect<URL, OperatorError> =>
  URL.canParse(text) && new URL(text).protocol === "https:"
    ? Effect.succeed(new URL(text))
    : Effect.fail(usage(`${JSON.stringify(text)} is not a hub's address: expected https://HOST:PORT`))

const fromFile = (path: string): Effect.Effect<string, OperatorError> =>
  Effect.try({
    try: () => readFileSync(path, "utf8").trim(),
    catch: (cause) =>
      usage(`cannot read the token file ${path}: ${cause instanceof Error ? cause.message : String(cause)}`)
  })

const tokenPattern = /^felhom_[a-z]+_[A-Za-z0-9_-]{43}$/

/** A person's hub token, if the text looks like one. */
export const readToken = (secret: Redacted.Redacted): Effect.Effect<Redacted.Redacted, OperatorError> =>
  tokenPattern.test(Redacted.value(secret).trim())
    ? Effect.succeed(Redacted.make(Redacted.value(secret).trim()))
    // The text itself is never shown: it may be a token but for a letter.
    : Effect.fail(
      usage("the hub token does not look like one: expected felhom_ROLE_ and 43 letters, as token create prints it")
    )

const token = (file: Option.Option<string>, login: Option.Option<Login>) =>
  Effect.gen(function*() {
    if (Option.isSome(file)) {
      return yield* Effect.flatMap(fromFile(file.value), (text) => readToken(Redacted.make(text)))
    }
    const text = yield* setting(
      Option.none(),
      "FELHOM_TOKEN",
      Option.map(login, (kept) => Redacted.value(kept.token)),
      "no hub token: set FELHOM_TOKEN, name a file with --token-file, or log in (felhom login)"
    )
    return yield* readToken(Redacted.make(text))
  })

type AddressOptions = Pick<ConnectionOptions, "hub" | "fingerprint">

const address = (options: AddressOptions, outer: AddressOptions, login: Option.Option<Login>) =>
  Effect.gen(function*() {
    const either = (key: keyof AddressOptions) => Option.orElse(options[key], () => outer[key])
    const url = yield* Effect.flatMap(
      setting(
        either("hub"),
        "FELHOM_HUB_URL",
        Option.map(login, ({ hub }) => hub),
        "no hub: give --hub https://HOST:PORT, set FELHOM_HUB_URL, or log in (felhom login)"
      ),
      hubUrl
    )
    const fingerprint = yield* setting(
      either("fingerprint"),
      "FELHOM_HUB_FINGERPRINT",
      // The fingerprint that was kept is that of one hub, and of no other.
      Option.flatMap(
        login,
        (kept) => (new URL(kept.hub).origin === url.origin ? Option.some(kept.fingerprint) : Option.none())
      ),
      "no fingerprint of the hub: give --fingerprint or set FELHOM_HUB_FINGERPRINT; the hub prints it at its start"
    )
    const pins = yield* Either.mapLeft(parsePins(fingerprint), ({ message }) => usage(message))
    return { url, pins, fingerprint }
  })

/** Where the hub is, from flags and environment alone. */
export const hubAddress = (
  options: AddressOptions,
  outer: AddressOptions
): Effect.Effect<Omit<Connection, "token"> & { readonly fingerprint: string }, OperatorError> =>
  address(options, outer, Option.none())

/** Puts flags, environment and the last login together; the flags of a subcommand win over those before it. */
export const connection = (
  options: ConnectionOptions,
  outer: ConnectionOptions
): Effect.Effect<Connection, OperatorError, DurableFile> =>
  Effect.gen(function*() {
    const login = yield* readLogin
    const { pins, url } = yield* address(options, outer, login)
    // A token is shown to no other hub than the one that it was kept for.
    const sameHub = Option.filter(login, ({ hub }) => new URL(hub).origin === url.origin)
    return { url, pins, token: yield* token(Option.orElse(options.tokenFile, () => outer.tokenFile), sameHub) }
  })
