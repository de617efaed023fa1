import { Either, ParseResult, Schema } from "effect"
import { GuestIdentity } from "./GuestConfig.ts"
import { HostEpoch, HostId } from "./HostId.ts"
import { GuestRef, SnapshotName, StorageId, Volid } from "./ProxmoxId.ts"
import { Sha256Hex } from "./Sha256.ts"
import { parseStrictJson, type StrictJsonError } from "./StrictJson.ts"
import { EpochMillis, EpochSeconds } from "./Time.ts"

/** What an operator's signature over an op is made for (protocol 5). */
export const opNamespace = "op.v1@felhom.eu"

export const opType = "felhom/op/v1"

/** The longest payload of one op, in bytes. */
export const longestOp = 16 * 1024

/** How long an op may be good at most, in milliseconds. */
export const longestValidity = 24 * 60 * 60 * 1000

const Text = Schema.String.pipe(Schema.maxLength(512))
const Bytes = Schema.NonNegativeInt

/** The guest as the operator was shown it: at the time of the call it must still be that. */
const ExpectGuest = Schema.Struct({
  identity: GuestIdentity,
  configHash: Sha256Hex,
  name: Schema.NullOr(Text),
  volumes: Schema.Array(Schema.Struct({ volid: Volid, size: Schema.NullOr(Bytes) })).pipe(Schema.maxItems(64)),
  snapshots: Schema.Array(Schema.Struct({ name: Text, takenAt: Schema.NullOr(EpochSeconds) })).pipe(
    Schema.maxItems(256)
  )
})

const ExpectSnapshot = Schema.Struct({ ...ExpectGuest.fields, takenAt: EpochSeconds })

const ExpectVolume = Schema.Struct({ size: Bytes, createdAt: Schema.NullOr(EpochSeconds) })

const Snapshot = Schema.Struct({ guest: GuestRef, snapshot: SnapshotName })
const Volume = Schema.Struct({ volid: Volid })
// Not Schema.Struct({}): that takes any value with any keys.
const Nothing = Schema.Record({ key: Schema.String, value: Schema.Never })
const Document = Schema.Struct({ sha256: Sha256Hex })

const op = <Op extends string, Target extends Schema.Schema.Any, Expect extends Schema.Schema.Any>(
  op: Op,
  target: Target,
  expect: Expect
) => ({ op: Schema.Literal(op), target, expect })

/** Everything that a signature can ask for, each with what it is done to, what was seen of that, and how. */
const operations = [
  {
    ...op("guest.destroy", Schema.Struct({ guest: GuestRef }), ExpectGuest),
    params: Schema.Struct({ unreferencedDisks: Schema.Boolean, acceptNoProvenBackup: Schema.Boolean })
  },
  {
    ...op("guest.rollback", Snapshot, ExpectSnapshot),
    params: Schema.Struct({ acceptNoProvenBackup: Schema.Boolean })
  },
  { ...op("snapshot.delete", Snapshot, ExpectSnapshot), params: Nothing },
  { ...op("backup.delete", Volume, ExpectVolume), params: Nothing },
  { ...op("backup.unprotect", Volume, ExpectVolume), params: Nothing },
  { ...op("guest.stop_hard", Schema.Struct({ guest: GuestRef }), ExpectGuest), params: Nothing },
  {
    ...op("volume.delete", Volume, ExpectVolume),
    params: Schema.Struct({ acceptNoProvenBackup: Schema.Boolean })
  },
  {
    ...op("storage.remove", Schema.Struct({ storage: StorageId }), Schema.Struct({ type: Text })),
    params: Nothing
  },
  {
    ...op("signers.update", Document, Schema.Struct({ version: Schema.NonNegativeInt, sha256: Sha256Hex })),
    params: Schema.Struct({ version: Schema.NonNegativeInt })
  },
  // A host without a policy file has the usual one, which has no hash.
  {
    ...op("policy.widen", Document, Schema.Struct({ sha256: Schema.NullOr(Sha256Hex) })),
    params: Nothing
  },
  {
    ...op(
      "desired.accept_epoch",
      Schema.Struct({ epoch: HostEpoch }),
      Schema.Struct({ epoch: Schema.NullOr(HostEpoch), version: Schema.NonNegativeInt })
    ),
    params: Nothing
  },
  { ...op("store.reanchor", Nothing, Schema.Struct({ storeSeq: Schema.NonNegativeInt })), params: Nothing },
  { ...op("hold.release", Nothing, Schema.Struct({ since: EpochMillis })), params: Nothing }
] as const

/** What an op is called: `guest.destroy`, `hold.release`. */
export const OpName = Schema.Union(...operations.map(({ op }) => op))
export type OpName = typeof OpName.Type

const common = {
  typ: Schema.Literal(opType),
  host: HostId,
  hostEpoch: HostEpoch,
  /** Made by the signing tool: 128 bits or more, in hex. Leads to at most one call, ever. */
  nonce: Schema.String.pipe(
    Schema.pattern(/^[0-9a-f]{32,64}$/, { message: () => "a nonce is 32 to 64 lower-case hex digits" })
  ),
  iat: EpochMillis,
  nbf: EpochMillis,
  exp: EpochMillis,
  /** From a report that the host signed: a host that knows less than this was set back. */
  storeSeqMin: Schema.NonNegativeInt,
  /** For people, and for the audit chain. */
  reason: Text.pipe(Schema.minLength(1))
}

type Fields = { readonly [name: string]: Schema.Schema.Any }

const payload = <Operation extends Fields>(operation: Operation) => Schema.Struct({ ...common, ...operation })

const [destroy, rollback, snapshot, backup, unprotect, stop, volume, storage, signers, widen, epoch, anchor, hold] =
  operations

/** One op on one host (protocol 5). Closed at every level: a key that this version does not know refuses it. */
export const SignedOp = Schema.Union(
  payload(destroy),
  payload(rollback),
  payload(snapshot),
  payload(backup),
  payload(unprotect),
  payload(stop),
  payload(volume),
  payload(storage),
  payload(signers),
  payload(widen),
  payload(epoch),
  payload(anchor),
  payload(hold)
).pipe(Schema.filter(({ exp, iat, nbf }) => {
  if (exp <= iat || exp <= nbf) return "it is over before it begins: exp is not later than iat and nbf"
  return exp - iat > longestValidity ? "it is good for more than 24 hours: exp is too late" : undefined
}))
export type SignedOp = typeof SignedOp.Type

/** Signed bytes that are no op which this version knows. Whatever was meant, nothing is done. */
export class SignedOpError extends Schema.TaggedError<SignedOpError>()("SignedOpError", {
  reason: Schema.Literal("json", "schema"),
  detail: Schema.String
}) {
  override get message(): string {
    return `it is no ${opType}: ${this.detail}; make and sign it anew with a tool of this host's version`
  }
}

/** What is wrong, and where: the schema's own tree would name every op there is before it. */
const problemsIn = (error: ParseResult.ParseError): string => {
  const all = ParseResult.ArrayFormatter.formatErrorSync(error)
  // That it is none of the other ops is no problem of this one.
  const own = all.filter(({ path }) => path.join(".") !== "op")
  return (own.length === 0 ? all : own).slice(0, 3).map(({ message, path }) =>
    (path.length === 0 ? message : `${path.map(String).join(".")}: ${message}`).slice(0, 300)
  ).join("; ")
}

const decode = Schema.decodeUnknownEither(SignedOp, { onExcessProperty: "error" })

/** Takes the bytes of a payload whose signatures held. Not before: nobody has vouched for them until then. */
export const decodeSignedOp = (bytes: Uint8Array): Either.Either<SignedOp, SignedOpError> =>
  Either.flatMap(
    Either.mapLeft(
      parseStrictJson(bytes, longestOp),
      (error: StrictJsonError) => new SignedOpError({ reason: "json", detail: error.message })
    ),
    (json) =>
      Either.mapLeft(
        decode(json),
        (error) => new SignedOpError({ reason: "schema", detail: problemsIn(error) })
      )
  )
