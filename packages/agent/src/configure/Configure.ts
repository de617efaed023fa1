import { formatFingerprint } from "@felhom/domain/PeerPin"
import { Effect, Either, Option } from "effect"
import { settingsOf } from "../ConfigFile.ts"
import { readPem } from "../doctor/ServedCertificate.ts"
import * as Settings from "../Settings.ts"
import { SettingsError } from "../SettingsError.ts"
import { type Allowed, dropInFile, dropInText, nameServers } from "./AllowList.ts"
import { type Chosen, configText, settingIn } from "./ConfigText.ts"
import { HostFiles } from "./HostFiles.ts"
import { NameLookup, type NameUnknown } from "./NameLookup.ts"

/** What `configure` can be told. */
export type Answer =
  | "proxmox.url"
  | "proxmox.node"
  | "proxmox.fingerprint"
  | "proxmox.tokenId"
  | "hub.url"
  | "hub.fingerprint"
  | "network.allow"

export interface ConfigureOptions {
  /** By flags; what is not given is asked for, or stays as it is. */
  readonly given: { readonly [place in Answer]?: string | undefined }
  /** Put before every path, for a host's image; empty for this host. */
  readonly root: string
  readonly configFile: string
  readonly hostName: string
  readonly dryRun: boolean
}

/** One file as it was and as it is to be. */
export interface Change {
  readonly path: string
  readonly mode: number
  readonly before: string
  readonly after: string
}

/** What was found out and written: the files, and what is left for a person to do, as commands of root's. */
export interface Configured {
  readonly changes: ReadonlyArray<Change>
  readonly written: boolean
  readonly next: ReadonlyArray<string>
}

/** Asks a person, who may take what is offered; none where nobody can be asked. */
export type Ask<R> = (
  place: Answer,
  words: string,
  offered: string | undefined
) => Effect.Effect<Option.Option<string>, never, R>

interface Question {
  readonly place: Answer
  readonly flag: string
  readonly words: string
}

/** In the order in which a person is asked. */
const questions: ReadonlyArray<Question> = [
  { place: "proxmox.url", flag: "--proxmox-url", words: "Where does Proxmox VE answer?" },
  { place: "proxmox.node", flag: "--node", words: "What is this node's name?" },
  {
    place: "proxmox.fingerprint",
    flag: "--proxmox-fingerprint",
    words: "Which certificate or key does Proxmox VE show (SHA-256, spki: for a key; several with commas)?"
  },
  { place: "proxmox.tokenId", flag: "--token-id", words: "Which API token is the agent's?" },
  { place: "hub.url", flag: "--hub-url", words: "Where does the hub answer?" },
  {
    place: "hub.fingerprint",
    flag: "--hub-fingerprint",
    words: "Which fingerprint did the hub print at its start (several with commas)?"
  },
  {
    place: "network.allow",
    flag: "--allow",
    words: "Which further addresses or networks may it speak to (backup server, guests' bridge)?"
  }
]

const optional: ReadonlySet<Answer> = new Set(["network.allow"])
const listed: ReadonlySet<Answer> = new Set(["proxmox.fingerprint", "hub.fingerprint", "network.allow"])

/** Where the secret is that the unit hands to the daemon. */
export const tokenFile = "/etc/felhom-agent/proxmox-token"

const certificateFiles = ["/etc/pve/local/pveproxy-ssl.pem", "/etc/pve/local/pve-ssl.pem"]

/** The key of this host's own certificate, from Proxmox VE's files: nobody on a network can lie about it. */
const ownPin = (root: string) =>
  Effect.gen(function*() {
    const files = yield* HostFiles
    for (const path of certificateFiles) {
      const pem = yield* Effect.orElseSucceed(files.read(`${root}${path}`), Option.none)
      if (Option.isNone(pem)) continue
      const read = readPem(pem.value)
      if (Either.isRight(read)) return `spki:${formatFingerprint(read.right.spki)}`
    }
    return undefined
  })

const split = (text: string): ReadonlyArray<string> => text.split(/[\s,]+/).filter((part) => part !== "")

/** Each setting by its flag, else a person's answer, else what stood in the file, else what this host itself knows. */
const answers = <R>(options: ConfigureOptions, before: string | undefined, ask: Ask<R>) =>
  Effect.gen(function*() {
    const known: { readonly [place in Answer]?: string | undefined } = {
      "proxmox.url": "https://127.0.0.1:8006",
      "proxmox.node": options.hostName,
      "proxmox.fingerprint": yield* ownPin(options.root),
      "proxmox.tokenId": "felhom-agent@pve!agent"
    }
    const chosen: { [place in Answer]?: string | ReadonlyArray<string> } = {}
    const missing: Array<string> = []
    for (const { flag, place, words } of questions) {
      const offered = settingIn(before, place) ?? known[place]
      const given = options.given[place]
      const text = given ?? Option.getOrElse(yield* ask(place, words, offered), () => offered)
      if (text === undefined || text.trim() === "") {
        if (!optional.has(place)) missing.push(`${place} is not known: give ${flag}. ${words}`)
        // An empty one that was given takes away what stood there.
        else if (text !== undefined) chosen[place] = []
      } else chosen[place] = listed.has(place) ? split(text) : text.trim()
    }
    const [first, ...others] = missing
    if (first !== undefined) return yield* new SettingsError({ problems: [first, ...others] })
    return chosen satisfies Chosen
  })

/** What the daemon will read out of that text, with all that is wrong with it at once. */
const checked = (text: string) =>
  Effect.gen(function*() {
    const parsed: unknown = JSON.parse(text)
    const texts = yield* Either.mapLeft(
      settingsOf(parsed),
      ([first = "can't be used", ...others]) => new SettingsError({ problems: [first, ...others] })
    )
    const problems = (error: SettingsError) => error.problems
    const all = yield* Effect.all(
      [Settings.proxmoxPlace, Settings.hubPlace, Settings.networkAllow, Settings.stateDirectory],
      { mode: "validate" }
    ).pipe(
      Effect.mapError((errors) => errors.flatMap((error) => Option.toArray(Option.map(error, problems)).flat())),
      Effect.mapError(([first = "can't be used", ...others]) => new SettingsError({ problems: [first, ...others] })),
      Effect.provideService(Settings.SettingsSource, { texts, credentials: Option.none() })
    )
    const [proxmox, hub, extra, stateDirectory] = all
    return { proxmox, hub, extra, stateDirectory, ownToken: texts.has("HUB_TOKEN_FILE") }
  })

type Checked = Effect.Effect.Success<ReturnType<typeof checked>>

/** Everybody whom the daemon has to reach, by address. */
const allowedFor = ({ extra, hub, proxmox }: Checked, root: string) =>
  Effect.gen(function*() {
    const names = yield* NameLookup
    const files = yield* HostFiles
    const resolver = yield* files.read(`${root}/etc/resolv.conf`)
    const peer = (what: string, url: URL): Effect.Effect<Allowed, NameUnknown> =>
      Effect.map(names.addresses(url.hostname), (addresses) => ({ reason: `${what} ${url.hostname}`, addresses }))
    return [
      yield* peer("the hub,", hub.url),
      yield* peer("Proxmox VE,", proxmox.url),
      { reason: "the resolver, of /etc/resolv.conf", addresses: nameServers(Option.getOrElse(resolver, () => "")) },
      { reason: "network.allow", addresses: extra }
    ]
  })

/** What is left to do, in the order in which it has to be done. */
const nextSteps = ({ ownToken, stateDirectory }: Checked, root: string, changed: boolean) =>
  Effect.gen(function*() {
    const files = yield* HostFiles
    const secret = yield* files.ownership(`${root}${tokenFile}`)
    const enrolled = yield* files.ownership(`${root}${Settings.bearerFile(stateDirectory)}`)
    return [
      ...(Option.isNone(secret)
        ? [
          `install -m 600 /dev/stdin ${tokenFile}    # the API token's secret; examples/provision-token tells how to make one`
        ]
        : (secret.value.mode & 0o077) !== 0
        ? [`chmod 600 ${tokenFile}`]
        : []),
      ...(Option.isNone(enrolled) && !ownToken
        ? ["FELHOM_AGENT_ENROL_TOKEN=… felhom-agent enrol    # the one-time token of felhom enrol"]
        : []),
      ...(changed ? ["systemctl daemon-reload"] : []),
      "systemctl enable felhom-agent.service",
      "systemctl restart felhom-agent.service",
      "felhom-agent doctor"
    ]
  })

/**
 * Writes the config file and the list of addresses that the daemon's unit allows. Everything is read, asked, checked and looked up
 * before the first byte is written; each file is then there as a whole or as it was. No secret is read or written.
 */
export const configure = <R>(options: ConfigureOptions, ask: Ask<R>) =>
  Effect.gen(function*() {
    const files = yield* HostFiles
    const { dryRun, root } = options
    const configPath = `${root}${options.configFile}`
    const dropInPath = `${root}${dropInFile}`
    const [config, dropIn] = yield* Effect.all([files.read(configPath), files.read(dropInPath)])
    const before = Option.getOrUndefined(config)
    const refuse = ([first = "can't be used", ...others]: ReadonlyArray<string>) =>
      new SettingsError({
        problems: [`${configPath}: ${first}`, ...others.map((problem) => `${configPath}: ${problem}`)]
      })
    // Before anybody is asked: a file that can't be taken over is told of first.
    yield* Either.mapLeft(configText(before, {}), refuse)
    const chosen = yield* answers(options, before, ask)
    const text = yield* Either.mapLeft(configText(before, chosen), refuse)
    const settings = yield* checked(text)
    const changes: ReadonlyArray<Change> = [
      { path: configPath, mode: 0o640, before: before ?? "", after: text },
      {
        path: dropInPath,
        mode: 0o644,
        before: Option.getOrElse(dropIn, () => ""),
        after: dropInText(yield* allowedFor(settings, root))
      }
    ].filter((change) => change.before !== change.after)
    const next = yield* nextSteps(settings, root, changes.some(({ path }) => path === dropInPath))
    if (!dryRun) {
      yield* Effect.forEach(changes, ({ after, mode, path }) => files.write(path, after, mode), { discard: true })
    }
    return { changes, written: !dryRun && changes.length > 0, next } satisfies Configured
  })
