import { Crypto } from "@felhom/domain/port/Crypto"
import type { DurableFile } from "@felhom/domain/port/DurableFile"
import { Sha256Hex } from "@felhom/domain/Sha256"
import { decodeCanonicalBase64 } from "@felhom/domain/Sshsig"
import { EpochMillis } from "@felhom/domain/Time"
import { type KeptDocumentError, makeKeptDocument } from "@felhom/durable/KeptDocument"
import { Clock, Effect, Encoding, Option, Schema } from "effect"

/** What signatures have put in the place of a file of root's. */
export interface Anchored {
  /** The exact bytes. */
  readonly bytes: Uint8Array
  readonly sha256: Sha256Hex
  /** SHA-256 of root's file at that time, null where there was none: these hold while that is the same. */
  readonly anchor: Sha256Hex | null
}

/** One such document in the state folder, with what it says. */
export interface KeptBytes<A> {
  readonly current: Effect.Effect<Option.Option<A>, KeptDocumentError>
  /** Keeps the bytes that `next` answers with. One after the other; on the disk when it answers with what they say. */
  readonly change: <E, R>(
    next: (current: Option.Option<A>) => Effect.Effect<Anchored, E, R>
  ) => Effect.Effect<A, E | KeptDocumentError, R>
}

const Kept = Schema.Struct({
  typ: Schema.String,
  anchor: Schema.NullOr(Sha256Hex),
  sha256: Sha256Hex,
  at: EpochMillis,
  /** In base64. */
  document: Schema.String
})
type Kept = typeof Kept.Type

/**
 * Keeps the file `path`, whose form `typ` names. `understand` reads what has the hash that the file names, and says what is wrong
 * with it; it is asked again only for other bytes.
 */
export const makeKeptBytes = <A>(options: {
  readonly path: string
  readonly typ: string
  readonly understand: (found: Anchored) => Effect.Effect<A, string>
}): Effect.Effect<KeptBytes<A>, never, DurableFile | Crypto> =>
  Effect.gen(function*() {
    const { path, typ, understand } = options
    const crypto = yield* Crypto
    let last: { readonly kept: Pick<Kept, "anchor" | "sha256">; readonly says: A } | undefined

    const read = ({ anchor, document, sha256, typ: found }: Kept): Effect.Effect<A, string> =>
      Effect.gen(function*() {
        if (found !== typ) return yield* Effect.fail(`it is of the form ${found}, and not ${typ}`)
        if (last?.kept.sha256 === sha256 && last.kept.anchor === anchor) return last.says
        const bytes = yield* decodeCanonicalBase64(document)
        if ((yield* crypto.sha256(bytes)) !== sha256) {
          return yield* Effect.fail("what it holds has not the hash it names")
        }
        const says = yield* understand({ bytes, sha256, anchor })
        last = { kept: { anchor, sha256 }, says }
        return says
      })

    const kept = yield* makeKeptDocument({ path, schema: Kept, understand: (found) => Effect.asVoid(read(found)) })
    // What was kept was understood before.
    const understood = (found: Option.Option<Kept>) =>
      Option.isNone(found) ? Effect.succeedNone : Effect.asSome(Effect.orDie(read(found.value)))

    return {
      current: Effect.flatMap(kept.current, understood),
      change: (next) =>
        kept.change((found) =>
          Effect.gen(function*() {
            const { anchor, bytes, sha256 } = yield* next(yield* understood(found))
            return {
              typ,
              anchor,
              sha256,
              at: EpochMillis.make(yield* Clock.currentTimeMillis),
              document: Encoding.encodeBase64(bytes)
            }
          })
        ).pipe(Effect.flatMap((written) => Effect.orDie(read(written))))
    }
  })

/** The path of a file in the state folder. */
export const keptIn = (directory: string, name: string): string => `${directory.replace(/\/+$/, "")}/${name}`
