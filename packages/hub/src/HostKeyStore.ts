import { type EnrolmentRequest, WaitingHost } from "@felhom/domain/EnrolmentApi"
import type { HostId } from "@felhom/domain/HostId"
import { HostPublicKey } from "@felhom/domain/HostKey"
import { EpochMillis } from "@felhom/domain/Time"
import { Clock, Context, Effect, Layer, Option, Schema } from "effect"
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
  readonly standing: (host: HostId) => Effect.Effect<HostStanding, StoreError>
  /** Puts a host into the waiting room; one that is there, or accepted, stays as it is. */
  readonly wait: (request: Omit<EnrolmentRequest, "token">) => Effect.Effect<void, StoreError>
  readonly waiting: Effect.Effect<ReadonlyArray<WaitingHost>, StoreError>
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

const make = Effect.gen(function*() {
  const { read, sql, write } = yield* Database
  return HostKeyStore.of({
    standing: (host) =>
      Effect.map(
        read(
          StandingRow,
          sql`SELECT
            (SELECT public_key FROM host_key WHERE host_id = ${host} AND accepted_at IS NOT NULL) AS pinned,
            (SELECT message FROM alarm WHERE host_id = ${host} AND kind = 'twins') AS blocked`
        ),
        ([row]) => row ?? { pinned: null, blocked: null }
      ),
    wait: ({ agentVersion, host, node, publicKey }) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        Effect.asVoid(write([
          sql`INSERT OR IGNORE INTO host_key (host_id, public_key, node, agent_version, since)
            VALUES (${host}, ${publicKey}, ${node}, ${agentVersion}, ${now})`
        ]))),
    waiting: read(
      WaitingHost,
      sql`SELECT host_id AS "host", node, public_key AS "publicKey", agent_version AS "agentVersion", since
        FROM host_key WHERE accepted_at IS NULL ORDER BY since, host_id`
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
