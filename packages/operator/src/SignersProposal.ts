import { FileSystem } from "@effect/platform"
import { Crypto } from "@felhom/domain/port/Crypto"
import { decodeSigners, FleetId, SignersDocument, signersType } from "@felhom/domain/SignersDocument"
import { EpochMillis } from "@felhom/domain/Time"
import { Clock, Effect, Either, Encoding, Schema } from "effect"
import { OperatorError } from "./OperatorError.ts"
import { type Trail, trailOf } from "./SignersTrail.ts"

const usage = (detail: string): OperatorError => new OperatorError({ reason: "usage", detail })

const encode = Schema.encodeEither(SignersDocument)

/** A list as it stands in a file. What is no UTF-8 would be another text on the host. */
export const listFile = (path: string): Effect.Effect<string, OperatorError, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const files = yield* FileSystem.FileSystem
    const bytes = yield* Effect.mapError(
      files.readFile(path),
      ({ message }) => usage(`${path} can't be read: ${message}`)
    )
    const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes)
    return Encoding.encodeHex(new TextEncoder().encode(text)) === Encoding.encodeHex(bytes)
      ? text
      : yield* usage(`${path} is not UTF-8; a list that goes to a fleet is (a KRL is for root's own file)`)
  })

/** The bytes of the version that comes next. Read back as a host will read them. */
export const nextVersion = (
  trail: Trail,
  lists: { readonly allowedSigners: string; readonly revoked: string },
  reason: string
): Effect.Effect<Uint8Array, OperatorError> =>
  Effect.gen(function*() {
    if (
      trail.version > 0 && lists.allowedSigners === trail.texts.allowedSigners && lists.revoked === trail.texts.revoked
    ) return yield* usage(`nothing would change: version ${trail.version} has these very lists`)
    const wire = yield* Either.mapLeft(
      encode({
        typ: signersType,
        fleet: trail.known.fleet,
        version: trail.version + 1,
        from: trail.reading.lists,
        issued: EpochMillis.make(yield* Clock.currentTimeMillis),
        ...lists,
        reason
      }),
      ({ message }) => usage(`this can't be written as a list of signers: ${message}`)
    )
    const bytes = new TextEncoder().encode(JSON.stringify(wire))
    yield* Either.mapLeft(decodeSigners(bytes), ({ message }) => usage(message))
    return bytes
  })

/** A fleet that begins with the list that root put on the hosts. */
export const newFleet = (
  allowedSigners: string,
  threshold: number
): Effect.Effect<Trail, OperatorError, Crypto> =>
  Effect.gen(function*() {
    const crypto = yield* Crypto
    const known = {
      fleet: FleetId.make(yield* crypto.randomHex(16)),
      threshold,
      anchor: { allowedSigners },
      versions: []
    }
    return yield* trailOf(known)
  })
