import { FileSystem } from "@effect/platform"
import type { SignerFiles } from "@felhom/authz/Signers"
import { parsePins, type PeerPins } from "@felhom/domain/PeerPin"
import { NodeName, TokenId } from "@felhom/domain/ProxmoxId"
import {
  Array as Arr,
  Config,
  ConfigError,
  ConfigProvider,
  Context,
  Effect,
  Either,
  Layer,
  LogLevel,
  Option,
  Redacted,
  Schema
} from "effect"
import { defaultConfigFile, readConfigFile } from "./ConfigFile.ts"
import { nearestName } from "./NearestName.ts"
import { environmentPrefix, type SettingName, settingNames, whereToSet } from "./SettingName.ts"
import { SettingsError } from "./SettingsError.ts"

/** How to reach a peer: an origin without a path, and the pins that it must show. */
export interface Peer {
  readonly url: URL
  readonly pins: PeerPins
}

export interface ProxmoxSettings extends Peer {
  readonly node: NodeName
  readonly tokenId: TokenId
  readonly secret: Redacted.Redacted
}

export interface HubSettings extends Peer {
  readonly token: Redacted.Redacted
}

/** The provider that the file and the environment make together, for the settings below to be read from. */
export class SettingsSource extends Context.Tag("felhom/agent/SettingsSource")<SettingsSource, {
  readonly provider: ConfigProvider.ConfigProvider
  /** systemd's folder of credentials, if there is one. */
  readonly credentials: Option.Option<string>
}>() {}

const setting = <A>(name: SettingName, parse: (text: string) => Either.Either<A, string>): Config.Config<A> =>
  Config.string(name).pipe(
    Config.mapOrFail((text) => Either.mapLeft(parse(text.trim()), (problem) => ConfigError.InvalidData([], problem)))
  )

const parseOrigin = (text: string): Either.Either<URL, string> => {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined) return Either.left("is not a URL such as https://192.0.2.10:8006")
  if (url.username !== "" || url.password !== "") return Either.left("must not carry a user name or password")
  if (url.protocol !== "https:") {
    return Either.left(`must begin with https://; ${url.protocol}// would send the token in the clear`)
  }
  if (url.pathname !== "/" || url.search !== "" || url.hash !== "") {
    return Either.left(`must name the server only, such as ${url.origin}`)
  }
  return Either.right(url)
}

const parseFingerprints = (text: string): Either.Either<PeerPins, string> =>
  text === ""
    ? Either.left("is empty: without a fingerprint nothing would be known of who answers")
    : Either.mapLeft(parsePins(text), (error) => error.message)

const parseWith = <A>(schema: Schema.Schema<A, string>, expected: string) => (text: string): Either.Either<A, string> =>
  Either.mapLeft(Schema.decodeEither(schema)(text), () => expected)

const parseTokenId = (text: string): Either.Either<TokenId, string> =>
  text.includes("=")
    ? Either.left("must be the token's id only, without = and the secret, which has a place of its own")
    : parseWith(TokenId, "is not a token id such as felhom-agent@pve!agent")(text)

const parsePath = (text: string): Either.Either<string, string> =>
  text.startsWith("/") ? Either.right(text) : Either.left("must be an absolute path")

const parseSecret = (text: string): Either.Either<Redacted.Redacted, string> =>
  /^[\x21-\x7e]+$/.test(text)
    ? Either.right(Redacted.make(text))
    : Either.left(text === "" ? "is empty" : "has characters that no token has (spaces, line breaks, non-ASCII)")

/** All problems of a failed read, each with where it can be mended; never with the value, which may be a secret in the wrong place. */
const problemsOf = (error: ConfigError.ConfigError): Arr.NonEmptyReadonlyArray<string> =>
  ConfigError.reduceWithContext(error, undefined, {
    andCase: (_, left, right) => Arr.appendAll(left, right),
    orCase: (_, left, right) => Arr.appendAll(left, right),
    missingDataCase: (_, path) => [`${path.join(".")} is not set: give ${whereToSet(path.join(".") as SettingName)}`],
    invalidDataCase: (_, path, message) => [`${environmentPrefix}${path.join(".")} ${message}`],
    sourceUnavailableCase: (_, path, message) => [`${path.join(".")}: ${message}`],
    unsupportedCase: (_, path, message) => [`${path.join(".")}: ${message}`]
  })

const read = <A>(config: Config.Config<A>): Effect.Effect<A, SettingsError, SettingsSource> =>
  Effect.flatMap(
    SettingsSource,
    ({ provider }) =>
      Effect.mapError(provider.load(config), (error) => new SettingsError({ problems: problemsOf(error) }))
  )

const secretFile = (path: string) =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const mode = Number((yield* fs.stat(path)).mode)
    if ((mode & 0o077) !== 0) {
      return yield* new SettingsError({
        problems: [`${path} holds a secret and others may read it: chmod 600 ${path}`]
      })
    }
    return yield* fs.readFileString(path)
  }).pipe(
    Effect.catchTags({
      SystemError: ({ reason }) =>
        new SettingsError({ problems: [`${path}: the secret could not be read (${reason})`] }),
      BadArgument: (error) => new SettingsError({ problems: [`${path}: ${error.message}`] })
    })
  )

/** Where an enrolment leaves the Bearer that it got, in the state folder. */
export const bearerFile = (stateDirectory: string): string => `${stateDirectory.replace(/\/+$/, "")}/hub-token`

/**
 * A secret: from the environment, else from the file that the settings name, else from systemd's credential, and the hub's
 * else from where an enrolment left it. Whichever is found first is the one; a bad one is an error and never a reason to
 * look further.
 */
const readSecret = (section: "proxmox" | "hub") =>
  Effect.gen(function*() {
    const { credentials } = yield* SettingsSource
    const [name, fileName] = section === "proxmox"
      ? ["PROXMOX_TOKEN", "PROXMOX_TOKEN_FILE"] as const
      : ["HUB_TOKEN", "HUB_TOKEN_FILE"] as const
    const given = yield* read(Config.option(setting(name, parseSecret)))
    if (Option.isSome(given)) return given.value
    const named = yield* read(Config.option(setting(fileName, parsePath)))
    const fs = yield* FileSystem.FileSystem
    const present = (path: string) => Effect.orElseSucceed(fs.exists(path), () => false)
    const unnamed = [
      ...Option.toArray(Option.map(credentials, (directory) => `${directory}/${section}-token`)),
      ...(section === "hub" ? [bearerFile(yield* stateDirectory)] : [])
    ]
    const place = Option.isSome(named) ? named : yield* Effect.findFirst(unnamed, present)
    if (Option.isNone(place)) {
      return yield* new SettingsError({
        problems: [
          `${name} is not set: give ${whereToSet(name)}, the systemd credential ${section}-token, or a file named by ` +
          whereToSet(fileName) + (section === "hub" ? "; or enrol this host (felhom-agent enrol)" : "")
        ]
      })
    }
    return yield* Either.mapLeft(
      parseSecret((yield* secretFile(place.value)).trim()),
      (problem) => new SettingsError({ problems: [`${place.value}: the secret ${problem}`] })
    )
  })

const together = <A, B, R, S>(
  left: Effect.Effect<A, SettingsError, R>,
  right: Effect.Effect<B, SettingsError, S>
): Effect.Effect<readonly [A, B], SettingsError, R | S> =>
  Effect.flatMap(
    Effect.all([Effect.either(left), Effect.either(right)]),
    ([one, two]): Either.Either<readonly [A, B], SettingsError> =>
      Either.isLeft(one) && Either.isLeft(two)
        ? Either.left(new SettingsError({ problems: Arr.appendAll(one.left.problems, two.left.problems) }))
        : Either.all([one, two])
  )

/** What it takes to talk to Proxmox VE. */
export const proxmoxSettings: Effect.Effect<ProxmoxSettings, SettingsError, SettingsSource | FileSystem.FileSystem> =
  Effect.map(
    together(
      read(Config.all({
        url: setting("PROXMOX_URL", parseOrigin),
        node: setting("PROXMOX_NODE", parseWith(NodeName, "is not the name of a node")),
        pins: setting("PROXMOX_FINGERPRINT", parseFingerprints),
        tokenId: setting("PROXMOX_TOKEN_ID", parseTokenId)
      })),
      readSecret("proxmox")
    ),
    ([plain, secret]) => ({ ...plain, secret })
  )

/** What it takes to talk to the hub. */
export const hubSettings: Effect.Effect<HubSettings, SettingsError, SettingsSource | FileSystem.FileSystem> = Effect
  .map(
    together(
      read(Config.all({ url: setting("HUB_URL", parseOrigin), pins: setting("HUB_FINGERPRINT", parseFingerprints) })),
      readSecret("hub")
    ),
    ([plain, token]) => ({ ...plain, token })
  )

/** What it takes to show this host to the hub for the first time. */
export const enrolmentSettings: Effect.Effect<
  Peer & { readonly node: NodeName; readonly token: Redacted.Redacted },
  SettingsError,
  SettingsSource
> = read(Config.all({
  url: setting("HUB_URL", parseOrigin),
  pins: setting("HUB_FINGERPRINT", parseFingerprints),
  node: setting("PROXMOX_NODE", parseWith(NodeName, "is not the name of a node")),
  token: setting("ENROL_TOKEN", parseSecret)
}))

/** Fails with everything that is wrong for a program that talks to both, so that nobody has to find it out one by one. */
export const allSettings: Effect.Effect<void, SettingsError, SettingsSource | FileSystem.FileSystem> = Effect.asVoid(
  together(proxmoxSettings, hubSettings)
)

/** The folder of the daemon's state. */
export const stateDirectory: Effect.Effect<string, SettingsError, SettingsSource> = read(
  setting("STATE_DIR", parsePath).pipe(Config.withDefault("/var/lib/felhom-agent"))
)

/** The folder of the sockets. */
export const runtimeDirectory: Effect.Effect<string, SettingsError, SettingsSource> = read(
  setting("RUNTIME_DIR", parsePath).pipe(Config.withDefault("/run/felhom-agent"))
)

/** Root's files about who may sign for what on this host (protocol 3, 5). */
export const trustFiles: Effect.Effect<
  { readonly policyFile: string; readonly signers: SignerFiles },
  SettingsError,
  SettingsSource
> = Effect.map(
  read(Config.all({
    policyFile: setting("POLICY_FILE", parsePath).pipe(Config.withDefault("/etc/felhom-agent/policy.json")),
    allowed: setting("SIGNERS_FILE", parsePath).pipe(Config.withDefault("/etc/felhom-agent/allowed_signers")),
    revoked: Config.option(setting("REVOCATION_FILE", parsePath))
  })),
  ({ allowed, policyFile, revoked }) => ({
    policyFile,
    signers: {
      allowed,
      revoked: {
        path: Option.getOrElse(revoked, () => "/etc/felhom-agent/revoked_keys"),
        required: Option.isSome(revoked)
      }
    }
  })
)

/** From which level on the log is written. */
export const logLevel: Effect.Effect<LogLevel.LogLevel, SettingsError, SettingsSource> = read(
  setting("LOG_LEVEL", (text) =>
    Either.fromNullable(
      LogLevel.allLevels.find((level) => level.label.toLowerCase() === text.toLowerCase() || level._tag === text),
      () => "must be one of trace, debug, info, warn, error, fatal or none"
    )).pipe(Config.withDefault(LogLevel.Info))
)

/** Variables that look like ours and are not, each with the name that was probably meant. */
export const strayVariables = (environment: { readonly [name: string]: string | undefined }): ReadonlyArray<string> =>
  Object.keys(environment).flatMap((variable) => {
    const name = variable.startsWith(environmentPrefix) ? variable.slice(environmentPrefix.length) : undefined
    if (name === undefined || settingNames.has(name)) return []
    const near = nearestName(name, settingNames)
    return [
      `${variable} is no setting of the agent and is ignored` +
      (near === undefined ? "" : `; did you mean ${environmentPrefix}${near}?`)
    ]
  })

/** The file, if there is one, overlaid with the environment. */
export const layerSource = (options: {
  readonly file: Option.Option<string>
  readonly environment: { readonly [name: string]: string | undefined }
}): Layer.Layer<SettingsSource, SettingsError, FileSystem.FileSystem> =>
  Layer.effect(
    SettingsSource,
    Effect.gen(function*() {
      const { environment } = options
      const named = Option.orElse(options.file, () => Option.fromNullable(environment[`${environmentPrefix}CONFIG`]))
      const fromFile = yield* readConfigFile({
        path: Option.getOrElse(named, () => defaultConfigFile),
        named: Option.isSome(named)
      })
      const fromEnvironment = [...settingNames].flatMap((name) => {
        const value = environment[`${environmentPrefix}${name}`]
        return value === undefined ? [] : [[name, value] as const]
      })
      return {
        provider: ConfigProvider.fromMap(new Map([...fromFile, ...fromEnvironment])),
        credentials: Option.fromNullable(environment["CREDENTIALS_DIRECTORY"])
      }
    })
  )
