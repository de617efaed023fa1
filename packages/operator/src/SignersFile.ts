import { FileSystem } from "@effect/platform"
import { SignersSubmission } from "@felhom/domain/SignersApi"
import { decodeSigners, type SignersDocument, signersType } from "@felhom/domain/SignersDocument"
import { Effect, Either, Encoding, Schema } from "effect"
import type { SignedList } from "./HubSigners.ts"
import { OperatorError } from "./OperatorError.ts"

const usage = (detail: string): OperatorError => new OperatorError({ reason: "usage", detail })

const FileJson = Schema.parseJson(SignersSubmission)

/** A signed version of a fleet's signers from a file, with what its bytes say. */
export interface SignersInFile {
  readonly signed: SignedList
  readonly bytes: Uint8Array
  readonly document: SignersDocument
}

const textOf = (path: string) =>
  Effect.flatMap(FileSystem.FileSystem, (files) => files.readFileString(path)).pipe(
    Effect.mapError(({ message }) => usage(`${path} can't be read: ${message}`))
  )

/** Reads `{"payload": base64, "signatures": [armored, ...]}` over a version of the signers, as `--out` writes it. */
export const readSignersFile = (
  path: string
): Effect.Effect<SignersInFile, OperatorError, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const text = yield* textOf(path)
    const { payload, signatures } = yield* Effect.mapError(
      Schema.decode(FileJson)(text),
      ({ message }) => usage(`${path} holds no signed version of a fleet's signers: ${message}`)
    )
    // Both were checked with the file.
    const bytes = Either.getOrThrow(Encoding.decodeBase64(payload))
    return { signed: { payload, signatures }, bytes, document: Either.getOrThrow(decodeSigners(bytes)) }
  })

const Claim = Schema.parseJson(Schema.Struct({ payload: Schema.StringFromBase64 }))
const Typed = Schema.parseJson(Schema.Struct({ typ: Schema.Literal(signersType) }))

/** Whether a file says of itself that it is a version of a fleet's signers, and no op; what can't be read is not. */
export const isSignersFile = (path: string): Effect.Effect<boolean, never, FileSystem.FileSystem> =>
  textOf(path).pipe(
    Effect.flatMap(Schema.decode(Claim)),
    Effect.flatMap(({ payload }) => Schema.decode(Typed)(payload)),
    Effect.isSuccess
  )
