import { FileSystem } from "@effect/platform"
import { decodeGolden, type GoldenManifest, longestGolden } from "@felhom/domain/GoldenManifest"
import { decodeCanonicalBase64 } from "@felhom/domain/Sshsig"
import { Effect, Either, Option, Schema } from "effect"
import { OperatorError } from "../OperatorError.ts"

/** A manifest from a file, with who signed it already. */
export interface GoldenInFile {
  readonly bytes: Uint8Array
  readonly manifest: GoldenManifest
  readonly signatures: ReadonlyArray<string>
}

const Signed = Schema.parseJson(Schema.Struct({ payload: Schema.String, signatures: Schema.Array(Schema.String) }))
const asSigned = Schema.decodeUnknownOption(Signed, { onExcessProperty: "error" })

// A signed one holds it in base64, with signatures of some hundred bytes.
const longestFile = longestGolden * 4

/** Reads a manifest as `felhom-agent golden draft` writes it, or one that somebody signed already. */
export const readGoldenFile = (path: string): Effect.Effect<GoldenInFile, OperatorError, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const usage = (detail: string) => new OperatorError({ reason: "usage", detail: `${path}: ${detail}` })
    const files = yield* FileSystem.FileSystem
    const found = yield* Effect.mapError(files.readFile(path), ({ message }) => usage(`it can't be read: ${message}`))
    if (found.length > longestFile) return yield* usage(`it is longer than ${longestFile} bytes`)
    const signed = asSigned(new TextDecoder().decode(found))
    const bytes = Option.isNone(signed)
      ? found
      : yield* Either.mapLeft(decodeCanonicalBase64(signed.value.payload), (why) => usage(`its payload: ${why}`))
    const manifest = yield* Either.mapLeft(decodeGolden(bytes), ({ message }) => usage(message))
    return { bytes, manifest, signatures: Option.match(signed, { onNone: () => [], onSome: (one) => one.signatures }) }
  })
