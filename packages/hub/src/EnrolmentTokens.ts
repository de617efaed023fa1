import type { EnrolmentRequest, EnrolmentToken, TokenSummary } from "@felhom/domain/EnrolmentApi"
import { HostId } from "@felhom/domain/HostId"
import { HubForbidden } from "@felhom/domain/HubRefusal"
import { Crypto } from "@felhom/domain/port/Crypto"
import { EpochMillis } from "@felhom/domain/Time"
import { Array, Clock, Context, Effect, Layer, Redacted, Schema } from "effect"
import { Database } from "./Database.ts"
import type { StoreError } from "./StoreError.ts"
import { base64Url, tokenId } from "./TokenStore.ts"

/** One-time tokens that let a host into the waiting room, and no further. */
export class EnrolmentTokens extends Context.Tag("felhom/hub/EnrolmentTokens")<EnrolmentTokens, {
  readonly create: (
    count: number,
    label: string,
    hours: number
  ) => Effect.Effect<ReadonlyArray<EnrolmentToken>, StoreError>
  /**
   * Uses the token up for this host and key. The same host with the same key may show it again (its answer may have got
   * lost); for anybody else it is spent.
   */
  readonly use: (request: EnrolmentRequest) => Effect.Effect<void, StoreError | HubForbidden>
  readonly list: Effect.Effect<ReadonlyArray<TokenSummary>, StoreError>
  readonly revoke: (id: string) => Effect.Effect<void, StoreError>
}>() {}

const Row = Schema.Struct({
  hash: Schema.String,
  label: Schema.String,
  createdAt: EpochMillis,
  expiresAt: EpochMillis,
  usedAt: Schema.NullOr(EpochMillis),
  usedByHost: Schema.NullOr(HostId),
  usedByKey: Schema.NullOr(Schema.String),
  revokedAt: Schema.NullOr(EpochMillis)
})
type Row = typeof Row.Type

const pattern = /^felhom_enrol_[A-Za-z0-9_-]{43}$/

const another = "ask for a new one (felhom enrol)"

const forbidden = (message: string) => Effect.fail(new HubForbidden({ message }))

const stateOf = (row: Row, now: number): TokenSummary["state"] =>
  row.revokedAt !== null ? "revoked" : row.usedAt !== null ? "used" : row.expiresAt <= now ? "expired" : "live"

const day = (at: number): string => new Date(at).toISOString().slice(0, 16).replace("T", " ")

const make = Effect.gen(function*() {
  const { read, sql, write } = yield* Database
  const crypto = yield* Crypto
  const select = sql.literal(
    `SELECT hash, label, created_at AS "createdAt", expires_at AS "expiresAt", used_at AS "usedAt",
      used_by_host AS "usedByHost", used_by_key AS "usedByKey", revoked_at AS "revokedAt" FROM enrolment_token`
  )

  const createOne = (label: string, hours: number) =>
    Effect.gen(function*() {
      const now = yield* Clock.currentTimeMillis
      const token = `felhom_enrol_${base64Url(yield* crypto.randomHex(32))}`
      const hash = yield* crypto.sha256(token)
      const expiresAt = EpochMillis.make(now + hours * 3_600_000)
      yield* write([
        sql`INSERT INTO enrolment_token (hash, label, created_at, expires_at)
          VALUES (${hash}, ${label}, ${now}, ${expiresAt})`
      ])
      return { id: tokenId({ hash }), token: Redacted.make(token), expiresAt }
    })

  return EnrolmentTokens.of({
    create: (count, label, hours) => Effect.all(Array.makeBy(count, () => createOne(label, hours))),
    use: ({ host, publicKey, token }) =>
      Effect.gen(function*() {
        if (!pattern.test(token)) return yield* forbidden(`this is no enrolment token (felhom_enrol_…); ${another}`)
        const hash = yield* crypto.sha256(token)
        const now = yield* Clock.currentTimeMillis
        yield* write([
          sql`UPDATE enrolment_token SET used_at = ${now}, used_by_host = ${host}, used_by_key = ${publicKey}
            WHERE hash = ${hash} AND used_at IS NULL AND revoked_at IS NULL AND expires_at > ${now}`
        ])
        const [row] = yield* read(Row, sql`${select} WHERE hash = ${hash}`)
        if (row === undefined) return yield* forbidden(`this hub did not make this enrolment token; ${another}`)
        if (row.revokedAt !== null) return yield* forbidden(`this enrolment token was revoked; ${another}`)
        if (row.usedAt === null) {
          return yield* forbidden(`this enrolment token expired at ${day(row.expiresAt)} UTC; ${another}`)
        }
        if (row.usedByHost !== host || row.usedByKey !== publicKey) {
          return yield* forbidden(
            `this enrolment token was used already, at ${
              day(row.usedAt)
            } UTC by host ${row.usedByHost}; each is good ` +
              `for one host, once: ${another}, and if that host is not yours, do not accept it`
          )
        }
      }),
    list: Effect.gen(function*() {
      const now = yield* Clock.currentTimeMillis
      const rows = yield* read(Row, sql`${select} ORDER BY created_at, hash`)
      return rows.map((row) => ({
        id: tokenId(row),
        role: "enrol" as const,
        label: row.label,
        createdAt: row.createdAt,
        host: row.usedByHost,
        expiresAt: row.expiresAt,
        state: stateOf(row, now)
      }))
    }),
    revoke: (id) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        Effect.asVoid(write([
          sql`UPDATE enrolment_token SET revoked_at = ${now}
            WHERE revoked_at IS NULL AND substr(hash, 1, ${id.length}) = ${id}`
        ])))
  })
})

export const layer: Layer.Layer<EnrolmentTokens, never, Database | Crypto> = Layer.effect(EnrolmentTokens, make).pipe(
  Layer.ensureRequirementsType<Database | Crypto>()
)
