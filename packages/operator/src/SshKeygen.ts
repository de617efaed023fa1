import { Command, type CommandExecutor } from "@effect/platform"
import { readAllowedSigners } from "@felhom/authz/AllowedSigners"
import { nothingRevoked } from "@felhom/authz/RevocationList"
import { fromSigners } from "@felhom/authz/SignatureRefused"
import { usualDemands, verifySignature } from "@felhom/authz/VerifySignature"
import { readArmor, readParts } from "@felhom/domain/Sshsig"
import { EpochMillis } from "@felhom/domain/Time"
import { layer as signatureCrypto } from "@felhom/node/NodeSignatureCrypto"
import { Clock, Config, Effect, Either, Encoding, Option, Stream } from "effect"
import { existsSync } from "node:fs"
import { configFolder } from "./ConfigFolder.ts"
import { OperatorError } from "./OperatorError.ts"

const usage = (detail: string): OperatorError => new OperatorError({ reason: "usage", detail })

const missing = usage(
  "no key to sign with: name one with --key or FELHOM_SIGNING_KEY, or keep it (or, with an agent, its .pub) as " +
    "~/.config/felhom/signing-key. One on a security key is made with: ssh-keygen -t ed25519-sk -f ~/.config/felhom/signing-key"
)

/** The file that `ssh-keygen -f` is given: from the flag, the environment, or the settings' folder. */
export const signingKey = (flag: Option.Option<string>): Effect.Effect<string, OperatorError> =>
  Effect.gen(function*() {
    if (Option.isSome(flag)) return flag.value
    const variable = yield* Effect.orDie(Config.option(Config.nonEmptyString("FELHOM_SIGNING_KEY")))
    if (Option.isSome(variable)) return variable.value
    const folder = yield* configFolder
    const kept = Option.flatMapNullable(
      folder,
      (path) => [`${path}/signing-key`, `${path}/signing-key.pub`].find((file) => existsSync(file))
    )
    return yield* Option.match(kept, { onNone: () => Effect.fail(missing), onSome: Effect.succeed })
  })

const text = <E>(stream: Stream.Stream<Uint8Array, E>) => Stream.mkString(Stream.decodeText(stream))

const started = (key: string, message: Uint8Array, namespace: string) =>
  Command.make("ssh-keygen", "-Y", "sign", "-n", namespace, "-f", key).pipe(
    // No file: what is signed is what was shown, whatever happens to the disk meanwhile.
    Command.stdin(Stream.make(message)),
    Command.start
  )

/** Runs `ssh-keygen`, which asks its agent, a file or a security key, and for a passphrase at the terminal. */
const armored = (key: string, message: Uint8Array, namespace: string) =>
  Effect.gen(function*() {
    const child = yield* started(key, message, namespace)
    const [signature, said, code] = yield* Effect.all([
      text(child.stdout),
      // What it says is for the person: a touch is asked for here.
      text(Stream.tap(child.stderr, (chunk) => Effect.sync(() => process.stderr.write(chunk)))),
      child.exitCode
    ], { concurrency: 3 })
    if (code !== 0) return yield* usage(`ssh-keygen did not sign with ${key} (exit code ${code}): ${said.trim()}`)
    return signature
  }).pipe(
    Effect.scoped,
    Effect.catchTags({
      BadArgument: ({ message }) => usage(`ssh-keygen could not be started: ${message}`),
      SystemError: ({ message, reason }) =>
        usage(
          reason === "NotFound"
            ? "ssh-keygen is not on this machine: install OpenSSH 8.2 or newer, or sign the payload elsewhere (--out FILE)"
            : `ssh-keygen could not be run: ${message}`
        )
    })
  )

const publicKeyLine = (signature: string, namespace: string): Either.Either<string, string> =>
  Either.map(
    Either.mapLeft(Either.flatMap(readArmor(signature), readParts), ({ message }) => message),
    ({ publicKey }) => {
      const length = new DataView(publicKey.buffer, publicKey.byteOffset).getUint32(0)
      const type = new TextDecoder().decode(publicKey.subarray(4, 4 + length))
      return `signer namespaces="${namespace}" ${type} ${Encoding.encodeBase64(publicKey)}`
    }
  )

const refusedEverywhere = (why: string): OperatorError => usage(`this signature would be refused by every host: ${why}`)

/**
 * The fingerprint of the key that made this signature over these bytes, by the verifier that guards a host. Whether that host
 * lists the key is for the host to say.
 */
export const signedWith = (
  signature: string,
  message: Uint8Array,
  namespace: string
): Effect.Effect<string, OperatorError> =>
  Effect.gen(function*() {
    const line = yield* Either.mapLeft(publicKeyLine(signature, namespace), refusedEverywhere)
    const signers = yield* Either.mapLeft(readAllowedSigners(new TextEncoder().encode(`${line}\n`)), fromSigners)
    const at = EpochMillis.make(yield* Clock.currentTimeMillis)
    const judgement = { message, namespace, at, signers, revoked: nothingRevoked, demands: usualDemands }
    return yield* verifySignature(signature, judgement, "signer")
  }).pipe(
    Effect.map(({ fingerprint }) => fingerprint),
    Effect.catchTag("SignatureRefused", ({ message }) => refusedEverywhere(message)),
    Effect.provide(signatureCrypto)
  )

/** An armored signature over exactly these bytes, checked as a host would check it. */
export const sign = (
  key: string,
  message: Uint8Array,
  namespace: string
): Effect.Effect<
  { readonly signature: string; readonly fingerprint: string },
  OperatorError,
  CommandExecutor.CommandExecutor
> =>
  Effect.gen(function*() {
    const signature = yield* armored(key, message, namespace)
    return { signature, fingerprint: yield* signedWith(signature, message, namespace) }
  })
