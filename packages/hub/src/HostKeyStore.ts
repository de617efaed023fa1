import { type EnrolmentRequest, WaitingHost } from "@felhom/domain/EnrolmentApi"
import { HostId } from "@felhom/domain/HostId"
import { HostPublicKey } from "@felhom/domain/HostKey"
import { EpochMillis } from "@felhom/domain/Time"
import { Clock, Context, Effect, Either, Layer, Option, Schema } from "effect"
import { Database } from "./Database.ts"
import type { StoreError } from "./StoreError.ts"

/** What must be known before a report is looked at. */
export interface HostStanding {
  /** The key that a person accepted for this host; its reports must be signed by it. */
  readonly pinned: HostPublicKey | null
  /** Why no report of this host is served, until a person reset it. */
  readonly blocked: string | null
}

/** Host keys, waiting and pinned. A host id and a key belong together: another key is another host. */
export class HostKeyStore extends Context.Tag("felhom/hub/HostKeyStore")<HostKeyStore, {
  /** Read at once, as it is looked at with every report. */
  readonly standing: (host: HostId) => Either.Either<HostStanding, StoreError>
  /** Puts a host into the waiting room; one that is there, or accepted, stays as it is. */
  readonly wait: (request: Omit<EnrolmentRequest, "token">) => Effect.Effect<void, StoreError>
  readonly waiting: Effect.Effect<ReadonlyArray<WaitingHost>, StoreError>
  /** Removes a waiting key and voids the one-time token that it came with; whether there was such a key. */
  readonly reject: (host: HostId, key: HostPublicKey) => Effect.Effect<boolean, StoreError>
  /** Expects the host no more, and revokes its token; its key, history and events stay. */
  readonly retire: (host: HostId, by: string) => Effect.Effect<void, StoreError>
  /** Takes that back; the agent gets a new token by proof of its key. */
  readonly unretire: (host: HostId) => Effect.Effect<void, StoreError>
  readonly isRetired: (host: HostId) => Effect.Effect<boolean, StoreError>
  /** Whether this key of this host is accepted; none when it never asked. */
  readonly accepted: (host: HostId, key: HostPublicKey) => Effect.Effect<Option.Option<boolean>, StoreError>
  /** Pins the key, unless the host has another one pinned. */
  readonly accept: (host: HostId, key: HostPublicKey, by: string) => Effect.Effect<void, StoreError>
}>() {}

const StandingRow = Schema.Struct({
  pinned: Schema.NullOr(HostPublicKey),
  blocked: Schema.NullOr(Schema.String)
})

const AcceptedRow = Schema.Struct({ acceptedAt: Schema.NullOr(EpochMillis) })

const WaitingRow = Schema.Struct({
  ...WaitingHost.fields,
  namesakes: Schema.parseJson(Schema.Array(Schema.Struct({ host: HostId, lastSeen: EpochMillis })))
})

const Found = Schema.Struct({ found: Schema.Int })

const make = Effect.gen(function*() {
  const { read, remembered, rowsNow, sql, write } = yield* Database
  return HostKeyStore.of({
    standing: remembered((host) =>
      Either.map(
        rowsNow(StandingRow, {
          sql: `SELECT (SELECT public_key FROM host_key WHERE host_id = ? AND accepted_at IS NOT NULL) AS pinned,
            (SELECT message FROM alarm WHERE host_id = ? AND kind = 'twins') AS blocked`,
          parameters: [host, host]
        }),
        ([row]) => row ?? { pinned: null, blocked: null }
      )
    ),
    wait: ({ agentVersion, host, node, publicKey }) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        Effect.asVoid(write([
          sql`INSERT OR IGNORE INTO host_key (host_id, public_key, node, agent_version, since)
            VALUES (${host}, ${publicKey}, ${node}, ${agentVersion}, ${now})`
        ]))),
    // A machine that was installed anew waits with a new id beside the old one, under the same node name.
    waiting: read(
      WaitingRow,
      sql`SELECT host_id AS "host", node, public_key AS "publicKey", agent_version AS "agentVersion", since,
          (SELECT json_group_array(json_object('host', host.host_id, 'lastSeen', host.last_seen)) FROM host
            WHERE json_extract(host.identity, '$.node') = host_key.node AND host.host_id <> host_key.host_id
              AND host.host_id NOT IN (SELECT host_id FROM retired_host)) AS namesakes
        FROM host_key WHERE accepted_at IS NULL ORDER BY since, host_id`
    ),
    reject: (host, key) =>
      Effect.gen(function*() {
        const now = yield* Clock.currentTimeMillis
        const [removed] = yield* write([
          sql`DELETE FROM host_key WHERE host_id = ${host} AND public_key = ${key} AND accepted_at IS NULL`,
          // The same host and key could show it again, and would be back.
          sql`UPDATE enrolment_token SET revoked_at = ${now}
            WHERE used_by_host = ${host} AND used_by_key = ${key} AND revoked_at IS NULL`
        ])
        return removed === 1
      }),
    retire: (host, by) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        Effect.asVoid(write([
          sql`INSERT OR IGNORE INTO retired_host (host_id, at, by) VALUES (${host}, ${now}, ${by})`,
          sql`UPDATE token SET revoked_at = ${now} WHERE host_id = ${host} AND revoked_at IS NULL`,
          sql`DELETE FROM alarm WHERE host_id = ${host}`
        ]))),
    unretire: (host) => Effect.asVoid(write([sql`DELETE FROM retired_host WHERE host_id = ${host}`])),
    isRetired: (host) =>
      Effect.map(
        read(Found, sql`SELECT count(*) AS found FROM retired_host WHERE host_id = ${host}`),
        ([row]) => row?.found === 1
      ),
    accepted: (host, key) =>
      Effect.map(
        read(
          AcceptedRow,
          sql`SELECT accepted_at AS "acceptedAt" FROM host_key WHERE host_id = ${host} AND public_key = ${key}`
        ),
        ([row]) => Option.map(Option.fromNullable(row), ({ acceptedAt }) => acceptedAt !== null)
      ),
    accept: (host, key, by) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        Effect.asVoid(write([
          sql`UPDATE host_key SET accepted_at = ${now}, accepted_by = ${by}
            WHERE host_id = ${host} AND public_key = ${key} AND accepted_at IS NULL
              AND NOT EXISTS (SELECT 1 FROM host_key WHERE host_id = ${host} AND accepted_at IS NOT NULL)`
        ])))
  })
})

export const layer: Layer.Layer<HostKeyStore, never, Database> = Layer.effect(HostKeyStore, make).pipe(
  Layer.ensureRequirementsType<Database>()
)
