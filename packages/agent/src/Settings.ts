import { FileSystem } from "@effect/platform"
import type { SignerFiles } from "@felhom/authz/Signers"
import { parsePins, type PeerPins } from "@felhom/domain/PeerPin"
import { NodeName, TokenId } from "@felhom/domain/ProxmoxId"
import { Array as Arr, Context, Effect, Either, Layer, LogLevel, Option, Redacted, Schema } from "effect"
import { defaultConfigFile, readConfigFile } from "./ConfigFile.ts"
import { type AddressRange, parseRanges } from "./configure/AddressRange.ts"
import { nearestName } from "./NearestName.ts"
import { environmentPrefix, type SettingName, settingNames, whereToSet } from "./SettingName.ts"
import { SettingsError } from "./SettingsError.ts"

/** How to reach a peer: an origin without a path, and the pins that it must show. */
export interface Peer {
  readonly url: URL
  readonly pins: PeerPins
}

/** Proxmox VE without the secret that it takes. */
export interface ProxmoxPlace extends Peer {
  readonly node: NodeName
  readonly tokenId: TokenId
}

export interface ProxmoxSettings extends ProxmoxPlace {
  readonly secret: Redacted.Redacted
}

export interface HubSettings extends Peer {
  readonly token: Redacted.Redacted
}

/** What the file and the environment say together, for the settings below to be read from. */
export class SettingsSource extends Context.Tag("felhom/agent/SettingsSource")<SettingsSource, {
  /** Each setting's text, by the rest of its environment variable's name. */
  readonly texts: ReadonlyMap<string, string>
  /** systemd's folder of credentials, if there is one. */
  readonly credentials: Option.Option<string>
}>() {}

type Parse<A> = (text: string) => Either.Either<A, string>

/** A setting as it was read, or what is wrong with it; of several, what is wrong with the first. */
type Reading<A> = Either.Either<A, string>

/** Reads settings out of their texts, and gathers what is wrong with them, so that nobody has to find it out one by one. */
class Texts {
  readonly #texts: ReadonlyMap<string, string>
  /** Each with where it can be mended; never with the value, which may be a secret in the wrong place. */
  readonly problems: Array<string> = []

  constructor(texts: ReadonlyMap<string, string>) {
    this.#texts = texts
  }

  optional<A>(name: SettingName, parse: Parse<A>): Reading<Option.Option<A>> {
    const text = this.#texts.get(name)
    if (text === undefined) return Either.right(Option.none())
    return Either.mapBoth(parse(text.trim()), {
      onLeft: (problem) => this.#wrong(`${environmentPrefix}${name} ${problem}`),
      onRight: Option.some
    })
  }

  or<A>(name: SettingName, parse: Parse<A>, otherwise: A): Reading<A> {
    return Either.map(this.optional(name, parse), Option.getOrElse(() => otherwise))
  }

  needed<A>(name: SettingName, parse: Parse<A>): Reading<A> {
    return Either.flatMap(
      this.optional(name, parse),
      Either.fromOption(() => this.#wrong(`${name} is not set: give ${whereToSet(name)}`))
    )
  }

  #wrong(problem: string): string {
    this.problems.push(problem)
    return problem
  }
}

const read = <A>(reading: (texts: Texts) => Reading<A>): Effect.Effect<A, SettingsError, SettingsSource> =>
  Effect.flatMap(SettingsSource, (source) => {
    const texts = new Texts(source.texts)
    return Either.mapLeft(
      reading(texts),
      (first) => new SettingsError({ problems: [first, ...texts.problems.filter((problem) => problem !== first)] })
    )
  })

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

const parseNode = parseWith(NodeName, "is not the name of a node")

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

/** Root's own group, which nobody else is in. */
const rootGroup = 0

/**
 * systemd leaves a credential with root and lets the unit's user read it by an access list, whose widest entry is what stat shows as the
 * group's rights: 0440, of root's group (systemd 257 on Debian 13).
 */
const othersMay = ({ gid, mode }: FileSystem.File.Info, credential: boolean): boolean =>
  (mode & (credential && Option.contains(gid, rootGroup) ? 0o037 : 0o077)) !== 0

const secretFile = (path: string, credential: boolean) =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    if (othersMay(yield* fs.stat(path), credential)) {
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
    const given = yield* read((texts) => texts.optional(name, parseSecret))
    if (Option.isSome(given)) return given.value
    const named = yield* read((texts) => texts.optional(fileName, parsePath))
    const fs = yield* FileSystem.FileSystem
    const present = (path: string) => Effect.orElseSucceed(fs.exists(path), () => false)
    const credential = Option.map(credentials, (directory) => `${directory}/${section}-token`)
    const unnamed = [
      ...Option.toArray(credential),
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
      parseSecret((yield* secretFile(place.value, Option.contains(credential, place.value))).trim()),
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

/** Where Proxmox VE is, and who it must show to be. */
export const proxmoxPlace: Effect.Effect<ProxmoxPlace, SettingsError, SettingsSource> = read((texts) =>
  Either.all({
    url: texts.needed("PROXMOX_URL", parseOrigin),
    node: texts.needed("PROXMOX_NODE", parseNode),
    pins: texts.needed("PROXMOX_FINGERPRINT", parseFingerprints),
    tokenId: texts.needed("PROXMOX_TOKEN_ID", parseTokenId)
  })
)

/** Where the hub is, and who it must show to be. */
export const hubPlace: Effect.Effect<Peer, SettingsError, SettingsSource> = read((texts) =>
  Either.all({
    url: texts.needed("HUB_URL", parseOrigin),
    pins: texts.needed("HUB_FINGERPRINT", parseFingerprints)
  })
)

/** What it takes to talk to Proxmox VE. */
export const proxmoxSettings: Effect.Effect<ProxmoxSettings, SettingsError, SettingsSource | FileSystem.FileSystem> =
  Effect.map(together(proxmoxPlace, readSecret("proxmox")), ([plain, secret]) => ({ ...plain, secret }))

/** What it takes to talk to the hub. */
export const hubSettings: Effect.Effect<HubSettings, SettingsError, SettingsSource | FileSystem.FileSystem> = Effect
  .map(together(hubPlace, readSecret("hub")), ([plain, token]) => ({ ...plain, token }))

/** Addresses that the agent may speak to beside those that it has to, for `configure` and `doctor`. */
export const networkAllow: Effect.Effect<ReadonlyArray<AddressRange>, SettingsError, SettingsSource> = read((texts) =>
  texts.or("NETWORK_ALLOW", parseRanges, [])
)

/** What it takes to show this host to the hub for the first time. */
export const enrolmentSettings: Effect.Effect<
  Peer & { readonly node: NodeName; readonly token: Redacted.Redacted },
  SettingsError,
  SettingsSource
> = read((texts) =>
  Either.all({
    url: texts.needed("HUB_URL", parseOrigin),
    pins: texts.needed("HUB_FINGERPRINT", parseFingerprints),
    node: texts.needed("PROXMOX_NODE", parseNode),
    token: texts.needed("ENROL_TOKEN", parseSecret)
  })
)

/** What it takes to talk to both. Fails with everything that is wrong, so that nobody has to find it out one by one. */
export const allSettings: Effect.Effect<
  readonly [ProxmoxSettings, HubSettings],
  SettingsError,
  SettingsSource | FileSystem.FileSystem
> = together(proxmoxSettings, hubSettings)

/** The folder of the daemon's state. */
export const stateDirectory: Effect.Effect<string, SettingsError, SettingsSource> = read((texts) =>
  texts.or("STATE_DIR", parsePath, "/var/lib/felhom-agent")
)

/** The folder of the sockets. */
export const runtimeDirectory: Effect.Effect<string, SettingsError, SettingsSource> = read((texts) =>
  texts.or("RUNTIME_DIR", parsePath, "/run/felhom-agent")
)

/** Root's files about who may sign for what on this host (protocol 3, 5). */
export const trustFiles: Effect.Effect<
  { readonly policyFile: string; readonly signers: SignerFiles },
  SettingsError,
  SettingsSource
> = Effect.map(
  read((texts) =>
    Either.all({
      policyFile: texts.or("POLICY_FILE", parsePath, "/etc/felhom-agent/policy.json"),
      allowed: texts.or("SIGNERS_FILE", parsePath, "/etc/felhom-agent/allowed_signers"),
      revoked: texts.optional("REVOCATION_FILE", parsePath)
    })
  ),
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

const parseLevel = (text: string): Either.Either<LogLevel.LogLevel, string> =>
  Either.fromNullable(
    LogLevel.allLevels.find((level) => level.label.toLowerCase() === text.toLowerCase() || level._tag === text),
    () => "must be one of trace, debug, info, warn, error, fatal or none"
  )

/** From which level on the log is written. */
export const logLevel: Effect.Effect<LogLevel.LogLevel, SettingsError, SettingsSource> = read((texts) =>
  texts.or("LOG_LEVEL", parseLevel, LogLevel.Info)
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

interface Sources {
  readonly file: Option.Option<string>
  readonly environment: { readonly [name: string]: string | undefined }
}

/** The file, if there is one, overlaid with the environment. */
export const makeSource = (
  { environment, file }: Sources
): Effect.Effect<Context.Tag.Service<SettingsSource>, SettingsError, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const named = Option.orElse(file, () => Option.fromNullable(environment[`${environmentPrefix}CONFIG`]))
    const fromFile = yield* readConfigFile({
      path: Option.getOrElse(named, () => defaultConfigFile),
      named: Option.isSome(named)
    })
    const fromEnvironment = [...settingNames].flatMap((name) => {
      const value = environment[`${environmentPrefix}${name}`]
      return value === undefined ? [] : [[name, value] as const]
    })
    return {
      texts: new Map([...fromFile, ...fromEnvironment]),
      credentials: Option.fromNullable(environment["CREDENTIALS_DIRECTORY"])
    }
  })

/** What `makeSource` makes. */
export const layerSource = (sources: Sources): Layer.Layer<SettingsSource, SettingsError, FileSystem.FileSystem> =>
  Layer.effect(SettingsSource, makeSource(sources))
