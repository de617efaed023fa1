import { HostId } from "@felhom/domain/HostId"
import { Crypto } from "@felhom/domain/port/Crypto"
import {
  Clock,
  Context,
  Effect,
  Either,
  Layer,
  Option,
  type Redacted,
  Redacted as RedactedModule,
  Schema
} from "effect"
import { hash as hashOf } from "node:crypto"
import { Database } from "./Database.ts"
import { rememberedJson } from "./RememberedJson.ts"
import { StoreError } from "./StoreError.ts"

/** What a token may do: `host` sends reports, the others belong to people (protocol 1). */
export const TokenRole = Schema.Literal("host", "viewer", "operator", "admin")
export type TokenRole = typeof TokenRole.Type

/** A token as the hub knows it. The token itself is nowhere: only its SHA-256 is kept. */
export const TokenRow = Schema.Struct({
  hash: Schema.String,
  role: TokenRole,
  label: Schema.String,
  createdAt: Schema.Int,
  /** The host it was bound to by its first report. */
  hostId: Schema.NullOr(HostId),
  revokedAt: Schema.NullOr(Schema.Int)
})
export type TokenRow = typeof TokenRow.Type

/** No token, or more than one, begins like that. */
export class TokenNotFound extends Schema.TaggedError<TokenNotFound>()("TokenNotFound", {
  prefix: Schema.String,
  matches: Schema.Int
}) {
  override get message(): string {
    return this.matches === 0
      ? `no live token's id begins with ${JSON.stringify(this.prefix)}; see token list`
      : `${this.matches} tokens' ids begin with ${JSON.stringify(this.prefix)}; give more of it`
  }
}

/** How much of a token's hash names it in lists and commands. */
const idLength = 12

/** A token's short name: the beginning of its hash. */
export const tokenId = (row: Pick<TokenRow, "hash">): string => row.hash.slice(0, idLength)

/** How a binding ended: the host id that the token belongs to now, or that another live token has this host. */
export type Binding = { readonly hostId: HostId } | { readonly takenBy: string }

export class TokenStore extends Context.Tag("felhom/hub/TokenStore")<TokenStore, {
  /** Makes a token of 32 random bytes. It is given out here and never again. */
  readonly create: (
    role: TokenRole,
    label: string
  ) => Effect.Effect<{ readonly token: Redacted.Redacted; readonly row: TokenRow }, StoreError>
  /** Makes a token that belongs to this host from the start; any that it had before is revoked in the same step. */
  readonly issue: (hostId: HostId, label: string) => Effect.Effect<Redacted.Redacted, StoreError>
  /** All tokens, the oldest first. */
  readonly list: Effect.Effect<ReadonlyArray<TokenRow>, StoreError>
  /** Revokes the one live token whose id begins with `prefix`. */
  readonly revoke: (prefix: string) => Effect.Effect<TokenRow, StoreError | TokenNotFound>
  /** Read at once, from the last commit: a `token revoke` beside a running hub counts from the next request on. */
  readonly find: (token: Redacted.Redacted) => Either.Either<Option.Option<TokenRow>, StoreError>
  /**
   * `find` for what comes all the time, by `Database.remembered`: what is done on its word must be stored by
   * `writeTextsIfUnchanged`, which sees a `token revoke` beside a running hub.
   */
  readonly findRemembered: (token: Redacted.Redacted) => Either.Either<Option.Option<TokenRow>, StoreError>
  /** Binds a host's token to the host of its first report; a token that is bound stays so. */
  readonly bind: (hash: string, hostId: HostId) => Effect.Effect<Binding, StoreError>
}>() {}

/** Bytes in hex, as base64url without padding. */
export const base64Url = (hex: string): string =>
  btoa(String.fromCharCode(...(hex.match(/../g) ?? []).map((byte) => Number.parseInt(byte, 16))))
    .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")

/** The shape that every token has; whatever else comes along is not worth a look into the store. */
const tokenPattern = /^felhom_(?:host|viewer|operator|admin)_[A-Za-z0-9_-]{43}$/

const decodeRow = Schema.decodeUnknownEither(rememberedJson(TokenRow))

const make = Effect.gen(function*() {
  const { path, read, remembered, sql, textNow, write } = yield* Database
  const crypto = yield* Crypto
  const columns = sql.literal(
    "hash, role, label, created_at AS \"createdAt\", host_id AS \"hostId\", revoked_at AS \"revokedAt\""
  )
  const byHash = (hash: string): Either.Either<Option.Option<TokenRow>, StoreError> => {
    const text = textNow({
      sql: `SELECT json_object('hash', hash, 'role', role, 'label', label, 'createdAt', created_at, 'hostId', host_id,
        'revokedAt', revoked_at) FROM token WHERE hash = ?`,
      parameters: [hash]
    })
    if (Either.isLeft(text)) return Either.left(text.left)
    if (text.right === undefined) return Either.right(Option.none())
    return Either.mapBoth(decodeRow(text.right), {
      onLeft: ({ message }) => new StoreError({ reason: "corrupt", path, detail: message }),
      onRight: Option.some
    })
  }

  const findBy =
    (read: typeof byHash) => (token: Redacted.Redacted): Either.Either<Option.Option<TokenRow>, StoreError> => {
      const text = RedactedModule.value(token)
      return tokenPattern.test(text) ? read(hashOf("sha256", text)) : Either.right(Option.none())
    }

  return TokenStore.of({
    create: (role, label) =>
      Effect.gen(function*() {
        const token = `felhom_${role}_${base64Url(yield* crypto.randomHex(32))}`
        const row: TokenRow = {
          hash: yield* crypto.sha256(token),
          role,
          label,
          createdAt: yield* Clock.currentTimeMillis,
          hostId: null,
          revokedAt: null
        }
        yield* write([
          sql`INSERT INTO token (hash, role, label, created_at) VALUES (${row.hash}, ${role}, ${label}, ${row.createdAt})`
        ])
        return { token: RedactedModule.make(token), row }
      }),
    issue: (hostId, label) =>
      Effect.gen(function*() {
        const token = `felhom_host_${base64Url(yield* crypto.randomHex(32))}`
        const hash = yield* crypto.sha256(token)
        const now = yield* Clock.currentTimeMillis
        yield* write([
          sql`UPDATE token SET revoked_at = ${now} WHERE host_id = ${hostId} AND revoked_at IS NULL`,
          sql`INSERT INTO token (hash, role, label, created_at, host_id)
            VALUES (${hash}, 'host', ${label}, ${now}, ${hostId})`
        ])
        return RedactedModule.make(token)
      }),
    list: read(TokenRow, sql`SELECT ${columns} FROM token ORDER BY created_at, hash`),
    revoke: (prefix) =>
      Effect.gen(function*() {
        const rows = yield* read(
          TokenRow,
          sql`SELECT ${columns} FROM token WHERE revoked_at IS NULL AND substr(hash, 1, ${prefix.length}) = ${prefix}`
        )
        const [row] = rows
        if (row === undefined || rows.length > 1) {
          return yield* new TokenNotFound({ prefix, matches: rows.length })
        }
        const revokedAt = yield* Clock.currentTimeMillis
        yield* write([sql`UPDATE token SET revoked_at = ${revokedAt} WHERE hash = ${row.hash}`])
        return { ...row, revokedAt }
      }),
    find: findBy(byHash),
    findRemembered: findBy(remembered(byHash)),
    bind: (hash, hostId) =>
      Effect.gen(function*() {
        yield* write([sql`
          UPDATE token SET host_id = ${hostId}
          WHERE hash = ${hash} AND host_id IS NULL AND revoked_at IS NULL
            AND NOT EXISTS (SELECT 1 FROM token WHERE host_id = ${hostId} AND revoked_at IS NULL)`])
        const row = yield* byHash(hash)
        const bound = Option.flatMapNullable(row, ({ hostId }) => hostId)
        if (Option.isSome(bound)) return { hostId: bound.value }
        const holders = yield* read(
          TokenRow,
          sql`SELECT ${columns} FROM token WHERE host_id = ${hostId} AND revoked_at IS NULL`
        )
        return { takenBy: holders[0]?.label ?? "" }
      })
  })
})

export const layer: Layer.Layer<TokenStore, never, Database | Crypto> = Layer.effect(TokenStore, make).pipe(
  Layer.ensureRequirementsType<Database | Crypto>()
)
