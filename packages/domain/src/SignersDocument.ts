import { Either, ParseResult, Schema } from "effect"
import { SignedBytes } from "./Envelope.ts"
import { Sha256Hex } from "./Sha256.ts"
import { parseStrictJson } from "./StrictJson.ts"
import { EpochMillis } from "./Time.ts"

/** What a signature over a fleet's list of signers is made for (protocol 5). */
export const signersNamespace = "signers.v1@felhom.eu"

export const signersType = "felhom/signers/v1"

/** The longest document of a fleet's signers, in bytes. */
export const longestSigners = 64 * 1024

/** How far a version may be above the one before it: whoever jumps to the last number there is leaves none for anybody else. */
export const farthestSignersVersion = 1_000_000

/** Which fleet a list of signers is for: 128 random bits in lower-case hex, made with its first version. */
export const FleetId = Schema.String.pipe(
  Schema.pattern(/^[0-9a-f]{32}$/, { message: () => "a fleet id is 32 lower-case hex digits" }),
  Schema.brand("FleetId")
)
export type FleetId = typeof FleetId.Type

/** A list as OpenSSH has it in a file. KRLs, which are binary, are for root's own file. */
const List = Schema.String.pipe(
  Schema.filter((text) => (text.includes("\0") ? "a list is text and holds no NUL" : undefined))
)

/** By their content, the lists that a version replaces: the SHA-256 of each text's UTF-8. Where none was, of the empty text. */
export const SignersBefore = Schema.Struct({ allowedSigners: Sha256Hex, revoked: Sha256Hex })
export type SignersBefore = typeof SignersBefore.Type

/**
 * One version of who may sign for the hosts of a fleet, and of who may not any more (protocol 5). Closed: a key that this version
 * does not know refuses it. A host that never took one has root's file as `from.allowedSigners`, and the empty text as `from.revoked`.
 */
export const SignersDocument = Schema.Struct({
  typ: Schema.Literal(signersType),
  fleet: FleetId,
  version: Schema.Int.pipe(Schema.positive()),
  from: SignersBefore,
  issued: EpochMillis,
  /** In OpenSSH's form (ALLOWED SIGNERS in ssh-keygen(1)). */
  allowedSigners: List,
  /** Public keys, one a line. */
  revoked: List,
  /** For people, and for the audit chain. */
  reason: Schema.String.pipe(Schema.minLength(1), Schema.maxLength(512))
})
export type SignersDocument = typeof SignersDocument.Type

/** Bytes that are no list of signers which this version knows. The last good one holds. */
export class SignersDocumentError extends Schema.TaggedError<SignersDocumentError>()("SignersDocumentError", {
  reason: Schema.Literal("json", "schema"),
  detail: Schema.String
}) {
  override get message(): string {
    return `it is no ${signersType}: ${this.detail}; make and sign it anew with a tool of this host's version`
  }
}

const decode = Schema.decodeUnknownEither(SignersDocument, { onExcessProperty: "error" })

const asSchemaError = (error: ParseResult.ParseError): SignersDocumentError =>
  new SignersDocumentError({
    reason: "schema",
    detail: ParseResult.ArrayFormatter.formatErrorSync(error).slice(0, 3).map(({ message, path }) =>
      (path.length === 0 ? message : `${path.map(String).join(".")}: ${message}`).slice(0, 300)
    ).join("; ")
  })

/** Takes the bytes of a payload of which at least one signature held. */
export const decodeSigners = (bytes: Uint8Array): Either.Either<SignersDocument, SignersDocumentError> =>
  Either.flatMap(
    Either.mapLeft(
      parseStrictJson(bytes, longestSigners),
      ({ message }) => new SignersDocumentError({ reason: "json", detail: message })
    ),
    (json) => Either.mapLeft(decode(json), asSchemaError)
  )

/** A signed list without an attachment of its own. */
const Attached = Schema.Struct({ payload: SignedBytes.fields.payload, signatures: SignedBytes.fields.signatures })

const decodeAttached = Schema.decodeUnknownEither(Attached, { onExcessProperty: "error" })

/**
 * What travels with a `signers.update`: the JSON of `{"payload": base64, "signatures": [armored, ...]}`, in UTF-8. The op names the
 * SHA-256 of the payload, so that whoever signs it can do so before the last signature over the list is there.
 */
export const decodeAttachedSigners = (
  bytes: Uint8Array,
  longest: number
): Either.Either<typeof Attached.Type, SignersDocumentError> =>
  Either.flatMap(
    Either.mapLeft(
      parseStrictJson(bytes, longest),
      ({ message }) => new SignersDocumentError({ reason: "json", detail: message })
    ),
    (json) => Either.mapLeft(decodeAttached(json), asSchemaError)
  )

/** The attachment of a `signers.update`, before base64. */
export const encodeAttachedSigners = ({ payload, signatures }: SignedBytes): Uint8Array =>
  new TextEncoder().encode(JSON.stringify({ payload, signatures }))
