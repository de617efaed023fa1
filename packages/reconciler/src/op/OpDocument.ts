import { SignedBytes } from "@felhom/domain/Envelope"
import { OpId } from "@felhom/domain/OpId"
import type { Sha256Hex } from "@felhom/domain/Sha256"
import { decodeSignedOp, type SignedOp } from "@felhom/domain/SignedOp"
import { decodeCanonicalBase64 } from "@felhom/domain/Sshsig"
import { Effect, Either, Option, Schema } from "effect"

/** A signed op as the journal keeps it, to be read and checked again when its turn comes. */
export const OpDocument = Schema.Struct({
  origin: Schema.Literal("hub", "console"),
  signed: SignedBytes
})
export type OpDocument = typeof OpDocument.Type

const Json = Schema.parseJson(OpDocument)
const encodeJson = Schema.encode(Json)

/** Base64 and armor are ASCII, and the line breaks of armor are escaped. */
export const encodeDocument = (document: OpDocument): Effect.Effect<string> => Effect.orDie(encodeJson(document))

/** What was written down, with the op that it holds; none for what no version of this agent wrote. */
export const decodeDocument = (
  text: string
): Option.Option<{ readonly document: OpDocument; readonly op: SignedOp; readonly bytes: Uint8Array }> =>
  Option.flatMap(Schema.decodeUnknownOption(Json)(text), (document) =>
    Either.getRight(
      Either.gen(function*() {
        const bytes = yield* decodeCanonicalBase64(document.signed.payload)
        const op = yield* decodeSignedOp(bytes)
        return { document, op, bytes }
      })
    ))

/** The same bytes are the same op, over restarts too. */
export const opIdOf = (payload: Sha256Hex): OpId => OpId.make(payload.slice(0, 32))
