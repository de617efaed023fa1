import { Authz, type OpOrigin, type VerifiedOp } from "@felhom/authz/Authz"
import { OpRefused, type RefusalReason } from "@felhom/authz/OpRefused"
import { makeRateCap } from "@felhom/authz/RateCap"
import type { SignedBytes } from "@felhom/domain/Envelope"
import { opSubject } from "@felhom/domain/OpWords"
import { Crypto } from "@felhom/domain/port/Crypto"
import type { Sha256Hex } from "@felhom/domain/Sha256"
import { decodeCanonicalBase64, readArmor } from "@felhom/domain/Sshsig"
import { longestOpDocument } from "@felhom/durable/JournalRecord"
import { OpJournal } from "@felhom/durable/OpJournal"
import { Context, Effect, Either, Layer, Option } from "effect"
import { Executor } from "./Executor.ts"
import { decodeDocument, encodeDocument, opIdOf } from "./OpDocument.ts"
import { OpNews } from "./OpNews.ts"

/** What becomes of an op that a person at the host brought. */
export interface Taken {
  readonly payload: Sha256Hex
  /** It was taken on before, and nothing new is begun. */
  readonly before: boolean
}

/** Where signed ops come in: what holds is journalled, told and queued; what does not is refused, and told once. */
export class OpIntake extends Context.Tag("felhom/reconciler/OpIntake")<OpIntake, {
  /** The ops of an envelope, which brings the same ones again until the hub knows how they ended. */
  readonly fromHub: (ops: ReadonlyArray<SignedBytes>) => Effect.Effect<void>
  /** One op from a file, and at once what is made of it. */
  readonly fromConsole: (signed: SignedBytes) => Effect.Effect<Taken, OpRefused>
}>() {}

type Needs = Authz | OpJournal | Executor | OpNews | Crypto

/** More ops of one envelope than this wait for the next. */
const perEnvelope = 100
/** More accepted ops than this are under way or waiting at no time. */
const mostOpen = 64
const rememberedRefusals = 1024
const toldRefusals = { atOnce: 20, perMinute: 10 } as const

const refusal = (reason: RefusalReason, detail: string, payload: Sha256Hex, found?: VerifiedOp): OpRefused =>
  new OpRefused({
    reason,
    detail,
    payload,
    action: found?.op.op ?? null,
    subject: found === undefined ? null : opSubject(found.op)
  })

/** With nothing refused yet. */
export const make: Effect.Effect<typeof OpIntake.Service, never, Needs> = Effect.gen(function*() {
  const authz = yield* Authz
  const journal = yield* OpJournal
  const executor = yield* Executor
  const news = yield* OpNews
  const crypto = yield* Crypto
  const mayTell = yield* makeRateCap(toldRefusals)
  const one = yield* Effect.makeSemaphore(1)
  const refused = new Set<string>()

  const remember = (key: string): void => {
    refused.add(key)
    for (const oldest of refused) {
      if (refused.size <= rememberedRefusals) break
      refused.delete(oldest)
    }
  }

  /** How the hub knows it: by its payload's bytes, or by the text itself where that is none. */
  const nameOf = ({ payload }: SignedBytes): Effect.Effect<Sha256Hex> =>
    crypto.sha256(Either.getOrElse(decodeCanonicalBase64(payload), () => new TextEncoder().encode(payload)))

  const take = (signed: SignedBytes, origin: OpOrigin, name: Sha256Hex): Effect.Effect<Taken, OpRefused> =>
    Effect.gen(function*() {
      const stored = Effect.mapError((error: { readonly message: string }) => refusal("store", error.message, name))
      const id = opIdOf(name)
      if (yield* stored(journal.isKnown(id))) return { payload: name, before: true }
      const open = yield* stored(journal.open)
      const nonces = new Set(
        open.flatMap(({ document }) => Option.toArray(Option.map(decodeDocument(document), ({ op }) => op.nonce)))
      )
      const found = yield* authz.receive(signed, origin, (nonce) => nonces.has(nonce))
      if (open.length >= mostOpen) {
        return yield* refusal("queue-full", `${open.length} ops are under way or wait`, name, found)
      }
      // What is no signature at all can't count later either, and may hold what the journal does not take.
      const signatures = signed.signatures.filter((armored) => Either.isRight(readArmor(armored)))
      const document = yield* encodeDocument({ origin, signed: { ...signed, signatures } })
      if (document.length > longestOpDocument) {
        return yield* refusal(
          "size",
          `with all its signatures it is longer than ${longestOpDocument} bytes`,
          name,
          found
        )
      }
      const { op } = found
      yield* stored(news.audited(found, id))
      yield* stored(
        journal.accepted({
          op: id,
          source: "signed",
          action: op.op,
          subject: opSubject(op),
          expires: op.exp,
          document
        })
      )
      yield* news.accepted(found)
      const queued = (yield* stored(journal.open)).find((other) => other.op === id)
      if (queued !== undefined) yield* executor.submit(queued)
      return { payload: name, before: false }
    }).pipe(Effect.uninterruptible, one.withPermits(1))

  const fromHub = (signed: SignedBytes) =>
    Effect.gen(function*() {
      const name = yield* nameOf(signed)
      // With one signature more, or with the right document, the same op may hold.
      const key = yield* crypto.sha256(JSON.stringify([name, signed.document, signed.signatures]))
      if (refused.has(key)) return
      yield* Effect.catchAll(take(signed, "hub", name), (error) =>
        Effect.gen(function*() {
          if (error.reason === "rate" || !(yield* mayTell)) {
            return yield* Effect.logDebug("an op is looked at again later", error.message)
          }
          remember(key)
          yield* news.refused(error, name)
        }))
    })

  return OpIntake.of({
    fromHub: (ops) => Effect.forEach(ops.slice(0, perEnvelope), fromHub, { discard: true }),
    fromConsole: (signed) =>
      Effect.flatMap(
        nameOf(signed),
        (name) => Effect.tapError(take(signed, "console", name), (error) => news.refused(error, name))
      )
  })
})

export const layer: Layer.Layer<OpIntake, never, Needs> = Layer.effect(OpIntake, make).pipe(
  Layer.ensureRequirementsType<Needs>()
)
