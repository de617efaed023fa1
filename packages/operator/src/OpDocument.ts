import { FileSystem } from "@effect/platform"
import { parsePolicy } from "@felhom/authz/PolicyDocument"
import { longestDocument } from "@felhom/domain/Envelope"
import { Crypto } from "@felhom/domain/port/Crypto"
import type { Sha256Hex } from "@felhom/domain/Sha256"
import type { SignedOp } from "@felhom/domain/SignedOp"
import { decodeAttachedSigners, encodeAttachedSigners, type FleetId } from "@felhom/domain/SignersDocument"
import { decodeCanonicalBase64 } from "@felhom/domain/Sshsig"
import { layer as signatureCrypto } from "@felhom/node/NodeSignatureCrypto"
import { Effect, Either } from "effect"
import { row } from "./DisplayLines.ts"
import type { SignedList } from "./HubSigners.ts"
import { OperatorError } from "./OperatorError.ts"
import { policyWords } from "./PolicyWords.ts"
import { heldIn } from "./SignersTrail.ts"
import { listWords } from "./SignersWords.ts"
import type { Cell } from "./Table.ts"

/** What goes with an op: its bytes, what the op names it by, and what it says, for whoever signs. */
export interface OpDocument {
  readonly bytes: Uint8Array
  readonly sha256: Sha256Hex
  readonly words: ReadonlyArray<Cell>
}

const usage = (detail: string): OperatorError => new OperatorError({ reason: "usage", detail })

/** The bytes of a file that is to go with an op. */
export const documentFile = (path: string) =>
  Effect.gen(function*() {
    const files = yield* FileSystem.FileSystem
    const bytes = yield* Effect.mapError(files.readFile(path), ({ message }) =>
      usage(`${path} can't be read: ${message}`))
    return bytes.length > longestDocument
      ? yield* usage(`${path} is longer than ${longestDocument} bytes, more than goes with an op`)
      : bytes
  })

/** A policy as it stands in the file, read as a host will read it. */
export const policyDocument = (bytes: Uint8Array): Effect.Effect<OpDocument, OperatorError, Crypto> =>
  Effect.gen(function*() {
    const policy = yield* Either.mapLeft(
      parsePolicy(bytes),
      (why) => usage(`it is no policy that a host would take: ${why}`)
    )
    return {
      bytes,
      sha256: yield* Effect.flatMap(Crypto, (crypto) => crypto.sha256(bytes)),
      words: policyWords(policy)
    }
  })

/** A signed version of a fleet's signers, in the form in which it goes with an op. Its number is part of the op. */
export const signersDocument = (
  signed: SignedList
): Effect.Effect<OpDocument & { readonly fleet: FleetId; readonly version: number }, OperatorError, Crypto> =>
  Effect.gen(function*() {
    const held = yield* Effect.mapError(heldIn(signed), (why) => usage(`it is no list of signers: ${why}`))
    const bytes = encodeAttachedSigners(signed)
    if (bytes.length > longestDocument) {
      return yield* usage(`it is longer than ${longestDocument} bytes with its signatures`)
    }
    return {
      bytes,
      sha256: held.sha256,
      fleet: held.document.fleet,
      version: held.document.version,
      words: [
        row("fleet", `${held.document.fleet}, version ${held.document.version}`),
        ...(yield* Effect.provide(listWords(held), signatureCrypto))
      ]
    }
  })

/** What came with somebody else's op, held against what the op names; null for the ops that bring nothing. */
export const documentOf = (
  op: SignedOp,
  document: string | undefined
): Effect.Effect<OpDocument | null, OperatorError, Crypto> =>
  Effect.gen(function*() {
    if (op.op !== "signers.update" && op.op !== "policy.widen") {
      return document === undefined ? null : yield* usage(`${op.op} takes no document, and one came with it`)
    }
    if (document === undefined) return yield* usage(`the document that ${op.op} names did not come with it`)
    const bytes = yield* Either.mapLeft(decodeCanonicalBase64(document), (why) => usage(`its document: ${why}`))
    const found = op.op === "policy.widen"
      ? yield* policyDocument(bytes)
      : yield* signersDocument(
        yield* Either.mapLeft(decodeAttachedSigners(bytes, longestDocument), ({ message }) => usage(message))
      )
    return found.sha256 === op.target.sha256
      ? found
      : yield* usage(`its document is ${found.sha256}, and what was signed names ${op.target.sha256}`)
  })
