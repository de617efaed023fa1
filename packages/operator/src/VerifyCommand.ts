import { Command, Options } from "@effect/cli"
import { FileSystem } from "@effect/platform"
import { NodeStream } from "@effect/platform-node"
import { readAllowedSigners } from "@felhom/authz/AllowedSigners"
import { nothingRevoked, readRevocationList } from "@felhom/authz/RevocationList"
import { fromRevocations, fromSigners, refused, type SignatureRefused } from "@felhom/authz/SignatureRefused"
import { readSignerTime } from "@felhom/authz/SignerTime"
import { usualDemands, type Verified, verifySignature } from "@felhom/authz/VerifySignature"
import { displayText } from "@felhom/domain/DisplayText"
import { concatBytes } from "@felhom/domain/SshWire"
import { EpochMillis } from "@felhom/domain/Time"
import { layer as signatureCrypto } from "@felhom/node/NodeSignatureCrypto"
import { Clock, Console, Effect, Option, Stream } from "effect"
import { OperatorError } from "./OperatorError.ts"
import { output, print } from "./Root.ts"

const usage = (detail: string): OperatorError => new OperatorError({ reason: "usage", detail })

const fileBytes = (what: string, path: string) =>
  Effect.flatMap(FileSystem.FileSystem, (files) => files.readFile(path)).pipe(
    Effect.mapError((error) => usage(`${what} ${path} can't be read: ${error.message}`))
  )

/** More than any message that an operator signs; held in memory, since it is hashed in one piece. */
const longestMessage = 64 * 1024 * 1024

const tooLong = usage(`the message is longer than ${longestMessage} bytes`)

const standardInput = Stream.runFoldEffect(
  NodeStream.stdin,
  { chunks: [] as ReadonlyArray<Uint8Array>, size: 0 },
  ({ chunks, size }, chunk) =>
    size + chunk.length > longestMessage
      ? Effect.fail(tooLong)
      : Effect.succeed({ chunks: [...chunks, chunk], size: size + chunk.length })
).pipe(
  Effect.map(({ chunks }) => concatBytes(chunks)),
  Effect.mapError((error) => error._tag === "OperatorError" ? error : usage(`stdin can't be read: ${error.message}`))
)

/** `--time`, or now. */
const moment = (time: Option.Option<string>) =>
  Option.match(time, {
    onNone: () => Effect.map(Clock.currentTimeMillis, (now) => EpochMillis.make(now)),
    onSome: (text) =>
      Effect.mapError(
        readSignerTime(text),
        () => usage(`--time is a moment in UTC that exists, like 20271231235959Z, and not ${JSON.stringify(text)}`)
      )
  })

/** A list that is configured and can't be read might have named the key: that is a refusal, and no mistake in the command. */
const revocations = (path: Option.Option<string>) =>
  Option.match(path, {
    onNone: () => Effect.succeed(nothingRevoked),
    onSome: (path) =>
      fileBytes("the revocation list", path).pipe(
        Effect.mapError(({ detail }) => refused("revocations", detail)),
        Effect.flatMap((file) => Effect.mapError(readRevocationList(file), fromRevocations))
      )
  })

const accepted = ({ fingerprint, key, signers, touch }: Verified, principal: string, json: boolean) => {
  const lines = signers.map(({ line }) => line)
  return json
    ? Console.log(JSON.stringify({
      verdict: "accepted",
      principal,
      keyType: key.type,
      fingerprint,
      lines,
      userPresent: touch === undefined ? null : (touch.flags & 1) !== 0,
      userVerified: touch === undefined ? null : (touch.flags & 4) !== 0
    }))
    : print([
      `accepted: signed by ${displayText(principal)} with ${key.type} ${fingerprint}, ` +
      `line ${lines.join(", ")} of the allowed signers`
    ])
}

const told = (error: SignatureRefused) =>
  Console.log(JSON.stringify({ verdict: "refused", reason: error.reason, message: error.message }))

/** Whether a signature counts: the very verifier that a host asks, for anybody to try. Needs no hub. */
export const verifyCommand = Command.make("verify", {
  allowedSigners: Options.text("allowed-signers").pipe(
    Options.withDescription("The file of those who may sign (ALLOWED SIGNERS in ssh-keygen(1))")
  ),
  principal: Options.text("principal").pipe(Options.withDescription("Whose signature it must be")),
  namespace: Options.text("namespace").pipe(
    Options.withDescription("What it was signed for, like op.v1@felhom.eu")
  ),
  time: Options.text("time").pipe(
    Options.optional,
    Options.withDescription("The moment to judge it at, YYYYMMDDHHMMSSZ; now without it")
  ),
  revoked: Options.text("revoked").pipe(
    Options.optional,
    Options.withDescription("A revocation list: public keys one a line, or a KRL of keys and fingerprints")
  ),
  signature: Options.text("signature").pipe(
    Options.withDescription("The signature, as ssh-keygen -Y sign writes it; the message is read from stdin")
  ),
  output
}, (options) =>
  Effect.gen(function*() {
    const at = yield* moment(options.time)
    const signatureFile = yield* fileBytes("the signature", options.signature)
    const signersFile = yield* fileBytes("the file of allowed signers", options.allowedSigners)
    const message = yield* standardInput
    const verified = Effect.gen(function*() {
      const signers = yield* Effect.mapError(readAllowedSigners(signersFile), fromSigners)
      const revoked = yield* revocations(options.revoked)
      const judgement = { message, namespace: options.namespace, at, signers, revoked, demands: usualDemands }
      return yield* verifySignature(signatureFile, judgement, options.principal)
    })
    const json = options.output === "json"
    yield* Effect.tapError(verified, (error) => json ? told(error) : Effect.void).pipe(
      Effect.flatMap((found) => accepted(found, options.principal, json)),
      Effect.provide(signatureCrypto)
    )
  })).pipe(
    Command.withDescription(
      "Check a signature over what stdin holds, as a host would: exits 0 when it counts, 1 with the reason when not"
    )
  )
