import { Args, Command, Options } from "@effect/cli"
import { onlyName } from "@felhom/authz/PatternList"
import { type PublicKey, readPublicKey } from "@felhom/authz/PublicKey"
import { displayText } from "@felhom/domain/DisplayText"
import { decodeCanonicalBase64 } from "@felhom/domain/Sshsig"
import { Effect, Either, Encoding, Option } from "effect"
import { existsSync, readFileSync } from "node:fs"
import { fleetOption, requiredFleet } from "./ChosenFleet.ts"
import { type ConnectionOptions, connectionOptions } from "./Connection.ts"
import { approvalOptions } from "./OpApproval.ts"
import { OperatorError } from "./OperatorError.ts"
import { withOps } from "./Root.ts"
import { approvedList } from "./SignersApproval.ts"
import { signersLayer } from "./SignersLayer.ts"
import { nextVersion } from "./SignersProposal.ts"
import { followed, type Trail } from "./SignersTrail.ts"
import { fingerprintOf, nameText } from "./SignersWords.ts"

const usage = (detail: string): OperatorError => new OperatorError({ reason: "usage", detail })

/** The key in a `.pub` file, or in a line of an allow-list: the first that reads. */
const keyInFile = (path: string): Effect.Effect<PublicKey, OperatorError> =>
  Effect.gen(function*() {
    const text = yield* Effect.try({
      try: () => readFileSync(path, "utf8"),
      catch: (cause) => usage(`${path} can't be read: ${cause instanceof Error ? cause.message : String(cause)}`)
    })
    const words = text.split(/\s+/)
    const keys = words.flatMap((word) =>
      Either.match(Either.flatMap(decodeCanonicalBase64(word), readPublicKey), {
        onLeft: () => [],
        onRight: (key) => [key]
      })
    )
    const [only] = keys
    return only !== undefined && keys.length === 1
      ? only
      : yield* usage(
        `${path} holds ${keys.length} public keys, and one is expected, as ssh-keygen writes it into a .pub`
      )
  })

const onList = ({ reading: { signers } }: Trail): string =>
  Array.from(new Set(signers.signers.map(({ principals }) => displayText(JSON.stringify(nameText(principals)))))).join(
    ", "
  )

/** The keys that are meant: of a file, with a fingerprint, or all that stand under one name. */
const keysMeant = (what: string, trail: Trail) =>
  Effect.gen(function*() {
    const { signers } = trail.reading.signers
    if (what.startsWith("SHA256:")) {
      const found = yield* Effect.filter(
        signers,
        ({ key }) => Effect.map(fingerprintOf(key.blob), (fingerprint) => fingerprint === what)
      )
      const [first] = found
      return first === undefined
        ? yield* usage(
          `no key on the list has the fingerprint ${displayText(what)}; a key that is on no list is revoked by its file`
        )
        : [first.key]
    }
    const named = signers.filter(({ principals }) => nameText(onlyName(principals) ?? "") === what).map(({ key }) =>
      key
    )
    if (named.length > 0) return named
    return existsSync(what)
      ? [yield* keyInFile(what)]
      : yield* usage(
        `${displayText(JSON.stringify(what))} is neither a name on the list (${
          onList(trail)
        }), nor a fingerprint (SHA256:…), nor a ` +
          "file with a public key"
      )
  })

interface SignerOptions extends ConnectionOptions {
  readonly what: string
  readonly reason: string
  readonly fleet: Option.Option<string>
  readonly key: Option.Option<string>
  readonly yesIMean: Option.Option<string>
  readonly out: Option.Option<string>
}

const revokeSigner = ({ fingerprint, fleet, hub, reason, tokenFile, what, ...approval }: SignerOptions) =>
  withOps(
    { fingerprint, hub, tokenFile },
    Effect.gen(function*() {
      const { notes, trail } = yield* Effect.flatMap(requiredFleet(fleet), followed)
      if (notes.length > 0) {
        return yield* new OperatorError({ reason: "distrust", detail: `nothing was made: ${notes.join("; ")}` })
      }
      const keys = (yield* keysMeant(what, trail)).filter(({ blob }) =>
        !trail.reading.revoked.keys.has(Encoding.encodeBase64(blob))
      )
      if (keys.length === 0) {
        return yield* usage(
          `${displayText(JSON.stringify(what))} is revoked already, in version ${trail.version} or before`
        )
      }
      const before = trail.texts.revoked
      const lines = Array.from(new Set(keys.map(({ blob, type }) => `${type} ${Encoding.encodeBase64(blob)}`)))
      const revoked = `${before}${before === "" || before.endsWith("\n") ? "" : "\n"}${lines.join("\n")}\n`
      const bytes = yield* nextVersion(trail, { allowedSigners: trail.texts.allowedSigners, revoked }, reason)
      yield* approvedList(trail, { bytes, signatures: [] }, { ...approval, needs: Option.none() })
    }).pipe(Effect.provide(signersLayer))
  )

/** Takes trust back from a signer, on all hosts, by one signature. */
export const revokeCommand = Command.make(
  "revoke",
  {
    what: Args.text({ name: "what" }).pipe(
      Args.withDescription(
        "Whose: the name on the list, the key's fingerprint SHA256:…, or a file with the public key"
      )
    ),
    reason: Options.text("reason").pipe(
      Options.withDescription("Why the signer's key no longer counts, for people and for the hosts' audit chains")
    ),
    fleet: fleetOption,
    key: approvalOptions.key,
    yesIMean: Options.text("yes-i-mean").pipe(
      Options.optional,
      Options.withDescription("For scripts: what would be typed to confirm, \"version N\"")
    ),
    out: Options.text("out").pipe(
      Options.optional,
      Options.withDescription("Write the signed revocation to this file and send it nowhere")
    ),
    ...connectionOptions
  },
  revokeSigner
).pipe(
  Command.withDescription(
    "Revoke a signer's keys on all hosts, by one signature of anybody on the list (operator); a hub's token: felhom revoke-token"
  )
)
