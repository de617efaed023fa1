import { FileSystem } from "@effect/platform"
import type { SignedBytes } from "@felhom/domain/Envelope"
import { OpSubmission } from "@felhom/domain/OpsApi"
import { decodeCanonicalBase64 } from "@felhom/domain/Sshsig"
import { Effect, Either, Schema } from "effect"
import { OperatorError } from "./OperatorError.ts"

const usage = (detail: string): OperatorError => new OperatorError({ reason: "usage", detail })

const FileJson = Schema.parseJson(OpSubmission)

/** A signed op with its payload's bytes. */
export interface OpInFile {
  readonly signed: SignedBytes
  readonly bytes: Uint8Array
}

/** Reads `{"payload": base64, "signatures": [armored, ...]}`, as `--out` writes it and `felhom-agent ops accept` takes it. */
export const readOpFile = (path: string): Effect.Effect<OpInFile, OperatorError, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const files = yield* FileSystem.FileSystem
    const text = yield* Effect.mapError(
      files.readFileString(path),
      ({ message }) => usage(`${path} can't be read: ${message}`)
    )
    const { document, payload, signatures } = yield* Effect.mapError(
      Schema.decode(FileJson)(text),
      ({ message }) => usage(`${path} does not hold {"payload": base64, "signatures": [armored, ...]}: ${message}`)
    )
    const bytes = yield* Either.mapLeft(decodeCanonicalBase64(payload), (why) => usage(`${path}: the payload: ${why}`))
    return { signed: { payload, signatures, ...(document === undefined ? {} : { document }) }, bytes }
  })

export const writeOpFile = (
  path: string,
  signed: SignedBytes
): Effect.Effect<void, OperatorError, FileSystem.FileSystem> =>
  Effect.flatMap(FileSystem.FileSystem, (files) => files.writeFileString(path, `${JSON.stringify(signed, null, 2)}\n`))
    .pipe(
      Effect.mapError(({ message }) => usage(`${path} can't be written: ${message}`))
    )
