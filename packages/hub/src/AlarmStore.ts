import { HostId } from "@felhom/domain/HostId"
import { humanDuration } from "@felhom/domain/HumanText"
import { Clock, Context, Effect, Layer, Schema } from "effect"
import { type Concern, critical } from "./Concern.ts"
import { Database } from "./Database.ts"
import type { StoreError } from "./StoreError.ts"

/**
 * What the hub noticed by itself: `unsigned` and `forged` are reports in a pinned host's name that its key did not sign;
 * `twins` are two agents with one identity, of which neither is served until a person reset the host.
 */
const AlarmKind = Schema.Literal("unsigned", "forged", "twins")
export type AlarmKind = typeof AlarmKind.Type

export class AlarmStore extends Context.Tag("felhom/hub/AlarmStore")<AlarmStore, {
  readonly raise: (host: HostId, kind: AlarmKind, message: string) => Effect.Effect<void, StoreError>
  /** What calls for a person now, by host, worst first. */
  readonly concerns: Effect.Effect<ReadonlyMap<string, ReadonlyArray<Concern>>, StoreError>
  /** Forgets all alarms of a host. */
  readonly clear: (host: HostId) => Effect.Effect<void, StoreError>
}>() {}

const Row = Schema.Struct({
  hostId: HostId,
  kind: AlarmKind,
  message: Schema.String,
  lastAt: Schema.Int,
  count: Schema.Int
})

/** How long refused reports call for attention after the last of them. */
const day = 86_400_000

const sentence = (row: typeof Row.Type, now: number): string =>
  row.kind === "twins"
    ? row.message
    : `${row.count} ${row.count === 1 ? "report" : "reports"} in this host's name ${
      row.count === 1 ? "was" : "were"
    } refused, the last ${humanDuration(now - row.lastAt)} ago: ${row.message}`

const make = Effect.gen(function*() {
  const { read, sql, write } = yield* Database
  return AlarmStore.of({
    raise: (host, kind, message) =>
      Effect.gen(function*() {
        const now = yield* Clock.currentTimeMillis
        yield* Effect.logWarning("a report was refused", message).pipe(Effect.annotateLogs({ host, alarm: kind }))
        yield* write([
          sql`INSERT INTO alarm (host_id, kind, message, first_at, last_at, count)
            VALUES (${host}, ${kind}, ${message}, ${now}, ${now}, 1)
            ON CONFLICT (host_id, kind) DO UPDATE SET message = excluded.message, last_at = excluded.last_at,
              count = count + 1`
        ])
      }),
    concerns: Effect.gen(function*() {
      const now = yield* Clock.currentTimeMillis
      const rows = yield* read(
        Row,
        sql`SELECT host_id AS "hostId", kind, message, last_at AS "lastAt", count FROM alarm
          WHERE kind = 'twins' OR last_at > ${now - day} ORDER BY kind = 'twins' DESC, kind`
      )
      const byHost = new Map<string, Array<Concern>>()
      for (const row of rows) {
        byHost.set(row.hostId, [...(byHost.get(row.hostId) ?? []), critical(row.kind, sentence(row, now))])
      }
      return byHost
    }),
    clear: (host) => Effect.asVoid(write([sql`DELETE FROM alarm WHERE host_id = ${host}`]))
  })
})

export const layer: Layer.Layer<AlarmStore, never, Database> = Layer.effect(AlarmStore, make).pipe(
  Layer.ensureRequirementsType<Database>()
)
