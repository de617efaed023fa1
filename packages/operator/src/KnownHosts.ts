import { HostId } from "@felhom/domain/HostId"
import { type HostPublicKey, hostPublicKey, hostPublicKeyBytes } from "@felhom/domain/HostKey"
import { DurableFile } from "@felhom/domain/port/DurableFile"
import { Sha256Hex } from "@felhom/domain/Sha256"
import { decodeCanonicalBase64, publicKeyBlob } from "@felhom/domain/Sshsig"
import { EpochMillis } from "@felhom/domain/Time"
import { Context, Effect, Either, Encoding, Layer, Option, Schema } from "effect"
import { knownHostsFile } from "./ConfigFolder.ts"
import { OperatorError } from "./OperatorError.ts"

/** How far a host's reports had come when this person last looked. */
export const LastSeen = Schema.Struct({
  epoch: Schema.String,
  sequence: Schema.NullOr(Schema.Int),
  takenAt: EpochMillis,
  /** Of the report's exact bytes. */
  digest: Sha256Hex,
  /** Incarnations of the host that were seen before the present one. */
  formerEpochs: Schema.Array(Schema.String)
})
export type LastSeen = typeof LastSeen.Type

/**
 * The host keys that this person compared and accepted, and how far each host's reports had come: what makes a hub that serves
 * old or changed reports known without asking the hub.
 */
export class KnownHosts extends Context.Tag("felhom/operator/KnownHosts")<KnownHosts, {
  readonly find: (host: HostId) => Option.Option<HostPublicKey>
  /** Adds a line for the host; fails when another key stands there. */
  readonly pin: (host: HostId, key: HostPublicKey, node: string) => Effect.Effect<void, OperatorError>
  /** Removes the lines of the one host whose id begins so, or that has this node name, and what was seen of it. */
  readonly forget: (text: string) => Effect.Effect<{ readonly host: HostId; readonly node: string }, OperatorError>
  readonly lastSeen: (host: HostId) => Option.Option<LastSeen>
  readonly remember: (host: HostId, seen: LastSeen) => Effect.Effect<void, OperatorError>
}>() {}

const Seen = Schema.parseJson(Schema.Struct({ hosts: Schema.Record({ key: Schema.String, value: LastSeen }) }))

const usage = (detail: string): OperatorError => new OperatorError({ reason: "usage", detail })

const linePattern = /^([0-9a-f]{32}) ssh-ed25519 ([A-Za-z0-9+/]+=*)(?: (.*))?$/

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => Encoding.encodeHex(a) === Encoding.encodeHex(b)

/** A line's host and key; the key stands as in ssh's own known_hosts. */
const readLine = (line: string): Either.Either<readonly [HostId, HostPublicKey], string> =>
  Either.gen(function*() {
    const [, host, base64] = linePattern.exec(line) ?? []
    if (host === undefined || base64 === undefined) return yield* Either.left("expected HOST-ID ssh-ed25519 KEY")
    const blob = yield* decodeCanonicalBase64(base64)
    const key = blob.slice(-32)
    if (!sameBytes(publicKeyBlob(key), blob)) return yield* Either.left("its key is not an ssh-ed25519 key")
    return [HostId.make(host), hostPublicKey(key)] as const
  })

interface Line {
  readonly host: HostId
  readonly node: string
}

/** Who stands in a line; undefined for a comment, an empty line, or one that is no host's. */
const lineOf = (line: string): Line | undefined => {
  const [, host, , node = ""] = linePattern.exec(line) ?? []
  return host === undefined ? undefined : { host: HostId.make(host), node }
}

const named = (content: string, text: string): ReadonlyArray<Line> => {
  const lines = content.split("\n").flatMap((line) => lineOf(line) ?? [])
  const byHost = Array.from(new Map(lines.map((line) => [line.host, line])).values())
  const byNode = byHost.filter(({ node }) => node === text)
  return byNode.length > 0 ? byNode : byHost.filter(({ host }) => host.startsWith(text.toLowerCase()))
}

/** A bad line refuses the whole file: it may be the one that matters. */
const parse = (path: string, content: string): Either.Either<ReadonlyMap<HostId, HostPublicKey>, OperatorError> =>
  Either.gen(function*() {
    const keys = new Map<HostId, HostPublicKey>()
    for (const [index, line] of content.split("\n").entries()) {
      if (line.trim() === "" || line.startsWith("#")) continue
      const [host, key] = yield* Either.mapLeft(readLine(line), (why) => usage(`${path}, line ${index + 1}: ${why}`))
      if ((keys.get(host) ?? key) !== key) {
        return yield* Either.left(usage(`${path}, line ${index + 1}: host ${host} stands here with two different keys`))
      }
      keys.set(host, key)
    }
    return keys
  })

const writtenLine = (host: HostId, key: HostPublicKey, node: string): string =>
  `${host} ssh-ed25519 ${Encoding.encodeBase64(publicKeyBlob(hostPublicKeyBytes(key)))} ${
    node.replace(/[^\w.-]/g, "_")
  }`

const make = Effect.gen(function*() {
  const files = yield* DurableFile
  const path = yield* knownHostsFile
  const read = (file: string) =>
    files.read(file).pipe(
      Effect.mapError(({ message }) => usage(message)),
      Effect.map(Option.match({ onNone: () => "", onSome: (bytes) => new TextDecoder().decode(bytes) }))
    )
  const replace = (file: string, content: string) =>
    Effect.mapError(files.replace(file, new TextEncoder().encode(content)), ({ message }) => usage(message))
  const place = Option.match(path, {
    onNone: () =>
      Effect.fail(usage("there is no place to keep known hosts: set FELHOM_KNOWN_HOSTS, HOME or XDG_CONFIG_HOME")),
    onSome: Effect.succeed
  })
  const seenFile = (file: string) => `${file}.seen`

  const content = Option.isSome(path) ? yield* read(path.value) : ""
  const keys = yield* parse(Option.getOrElse(path, () => ""), content)
  const seenText = Option.isSome(path) ? yield* read(seenFile(path.value)) : ""
  // Of several hosts that are looked at in one run none is forgotten.
  let seen: typeof Seen.Type["hosts"] = seenText === "" ? {} : yield* Schema.decode(Seen)(seenText).pipe(
    Effect.map(({ hosts }) => hosts),
    Effect.mapError(() =>
      usage(
        `${
          seenFile(Option.getOrElse(path, () => ""))
        } does not read; move it away, and what the hub shows next counts as new`
      )
    )
  )

  return KnownHosts.of({
    find: (host) => Option.fromNullable(keys.get(host)),
    pin: (host, key, node) =>
      Effect.gen(function*() {
        const file = yield* place
        const known = keys.get(host)
        if (known === key) return
        if (known !== undefined) {
          return yield* usage(
            `${file} has another key for host ${host}: a host that was installed anew has a new id, so this one only ` +
              "pretends to be it; if you know better, felhom forget that host first"
          )
        }
        const before = content === "" || content.endsWith("\n") ? content : `${content}\n`
        yield* replace(file, `${before}${writtenLine(host, key, node)}\n`)
      }),
    forget: (text) =>
      Effect.gen(function*() {
        const file = yield* place
        const matches = named(content, text)
        const [found] = matches
        if (found === undefined || matches.length > 1) {
          return yield* usage(
            found === undefined
              ? `${file} has no host ${JSON.stringify(text)}`
              : `${JSON.stringify(text)} may be any of ${
                matches.map(({ host }) => host).join(", ")
              }; give the beginning of an id`
          )
        }
        const kept = content.split("\n").filter((line) => lineOf(line)?.host !== found.host)
        yield* replace(file, kept.join("\n"))
        const { [found.host]: _, ...others } = seen
        yield* replace(seenFile(file), `${JSON.stringify({ hosts: others })}\n`)
        seen = others
        return found
      }),
    lastSeen: (host) => Option.fromNullable(seen[host]),
    remember: (host, last) =>
      Effect.gen(function*() {
        const file = yield* place
        const next = { ...seen, [host]: last }
        yield* replace(seenFile(file), `${JSON.stringify({ hosts: next })}\n`)
        seen = next
      })
  })
})

export const layer: Layer.Layer<KnownHosts, OperatorError, DurableFile> = Layer.effect(KnownHosts, make).pipe(
  Layer.ensureRequirementsType<DurableFile>()
)
