import { Either, ParseResult, Schema } from "effect"
import { DesiredGuest, type DesiredGuestKey } from "./DesiredGuest.ts"
import { HostEpoch, HostId } from "./HostId.ts"
import { parseStrictJson } from "./StrictJson.ts"
import { EpochMillis } from "./Time.ts"

export const desiredType = "felhom/desired/v1"

/** The longest desired state of one host, in bytes. */
export const longestDesired = 1024 * 1024

/** How far a version may be above the one before it (protocol 4): a hub can't use up the numbers. */
export const farthestDesiredVersion = 1_000_000

const keyText = ({ identity: { hwaddrs, key, smbiosUuid, volumes }, type }: DesiredGuestKey): string =>
  JSON.stringify([type, [...hwaddrs].sort(), [...volumes].sort(), smbiosUuid, key])

/** What should be on a host. A guest that it does not name is left alone. */
export const DesiredState = Schema.Struct({
  guests: Schema.Array(DesiredGuest).pipe(
    Schema.maxItems(1024),
    Schema.filter((guests) =>
      new Set(guests.map(({ guest }) => keyText(guest))).size === guests.length
        ? undefined
        : "a guest stands there twice"
    )
  )
})
export type DesiredState = typeof DesiredState.Type

/** Whether it wishes for nothing at all. */
export const isEmptyState = ({ guests }: DesiredState): boolean => guests.length === 0

/**
 * What a hub wishes a host to be (protocol 4). It is signed by nobody, and so can express only what may be undone. Closed at every
 * level: what this version does not know refuses it.
 */
export const DesiredDocument = Schema.Struct({
  typ: Schema.Literal(desiredType),
  host: HostId,
  /** The incarnation of the host's own stores, as its reports give it (`host.epoch`). */
  hostEpoch: HostEpoch,
  /** The incarnation of the hub's store: 128 random bits in lower-case hex. A new one is taken on an operator's signature only. */
  epoch: HostEpoch,
  version: Schema.Int.pipe(Schema.positive()),
  issued: EpochMillis,
  /** From then on nothing new is begun for it. */
  expires: EpochMillis,
  /** Only then may a state that wishes for nothing follow one that did. */
  allowEmpty: Schema.optional(Schema.Boolean),
  state: DesiredState
}).pipe(
  Schema.filter(({ expires, issued }) =>
    expires > issued ? undefined : "it is over before it begins: expires is not later than issued"
  )
)
export type DesiredDocument = typeof DesiredDocument.Type

/** Bytes that are no desired state which this version knows. The last good one stands. */
export class DesiredDocumentError extends Schema.TaggedError<DesiredDocumentError>()("DesiredDocumentError", {
  reason: Schema.Literal("too-long", "json", "schema"),
  detail: Schema.String
}) {
  override get message(): string {
    return `it is no ${desiredType}: ${this.detail}`
  }
}

const decode = Schema.decodeUnknownEither(DesiredDocument, { onExcessProperty: "error" })

/** Of another schema than this version knows; all else of it would only be told after that. */
const otherSchema = (json: unknown): string | undefined => {
  const typ = typeof json === "object" && json !== null && "typ" in json ? json.typ : undefined
  return typeof typ === "string" && /^felhom\/desired\/v\d{1,4}$/.test(typ) && typ !== desiredType
    ? `it is ${typ}, and this version knows ${desiredType}`
    : undefined
}

/** Reads it strictly: no key twice, no key unknown, whole numbers only. */
export const decodeDesired = (bytes: Uint8Array): Either.Either<DesiredDocument, DesiredDocumentError> =>
  Either.flatMap(
    Either.mapLeft(
      parseStrictJson(bytes, longestDesired),
      ({ message, reason }) =>
        new DesiredDocumentError({ reason: reason === "too-long" ? "too-long" : "json", detail: message })
    ),
    (json) =>
      Either.mapLeft(decode(json), (error) =>
        new DesiredDocumentError({
          reason: "schema",
          detail: otherSchema(json) ?? ParseResult.ArrayFormatter.formatErrorSync(error).slice(0, 3).map((
            { message, path }
          ) => (path.length === 0 ? message : `${path.map(String).join(".")}: ${message}`).slice(0, 300)).join("; ")
        }))
  )
