import { Clock, Duration, Effect, Layer, Schedule, Schema } from "effect"
import { Database } from "./Database.ts"
import { HubSettings } from "./HubSettings.ts"
import type { SqlText } from "./StoreConnection.ts"
import type { StoreError } from "./StoreError.ts"

// The store's bound. What goes is history, the finest and oldest first; host keys, tokens, alarms, the latest report of each host
// and events that are not acknowledged never do.

const hour = 3_600_000
const day = 24 * hour

type Step = (now: number) => ReadonlyArray<SqlText>

const pointsBefore = (seconds: number, at: number): SqlText => ({
  sql: "DELETE FROM history WHERE seconds = ? AND at < ?",
  parameters: [seconds, at]
})

/** Events of each host down to its newest so many; the books tell how many are gone, so that none counts as lost. */
const eventsBeyond = (kept: number): ReadonlyArray<SqlText> => [
  {
    sql: `UPDATE host_epoch SET pruned_through = max(pruned_through, min(acked, event_max - ?)) WHERE event_max > ?`,
    parameters: [kept, kept]
  },
  {
    sql: `DELETE FROM event WHERE seq <= (SELECT pruned_through FROM host_epoch
      WHERE host_epoch.host_id = event.host_id AND host_epoch.epoch = event.epoch)`,
    parameters: []
  },
  {
    sql: `UPDATE host_epoch SET event_bytes = coalesce((SELECT sum(length(CAST(body AS BLOB))) FROM event
      WHERE event.host_id = host_epoch.host_id AND event.epoch = host_epoch.epoch), 0)`,
    parameters: []
  }
]

/** One after another, until the store is small enough. */
const steps: ReadonlyArray<Step> = [
  () => [{
    sql:
      `DELETE FROM selftest WHERE id < (SELECT max(id) FROM selftest AS newer WHERE newer.host_id = selftest.host_id)`,
    parameters: []
  }],
  (now) => [pointsBefore(300, now - 12 * hour)],
  (now) => [pointsBefore(300, now - 2 * hour), pointsBefore(3600, now - 14 * day)],
  () => eventsBeyond(2000),
  (now) => [pointsBefore(3600, now - 2 * day), pointsBefore(86_400, now - 365 * day)],
  () => eventsBeyond(200),
  (now) => [pointsBefore(300, now), pointsBefore(3600, now), pointsBefore(86_400, now - 30 * day)]
]

const Size = Schema.Struct({ bytes: Schema.Int })

/** What is in use; pages that were freed are used again before the file grows. */
const sizeText: SqlText = {
  sql: `SELECT (page_count - freelist_count) * page_size AS bytes
    FROM pragma_page_count(), pragma_freelist_count(), pragma_page_size()`,
  parameters: []
}

/** Brings the store below its bound if it is beyond it; says in the log what had to go, and when that was not enough. */
export const trim: Effect.Effect<void, StoreError, Database | HubSettings> = Effect.gen(function*() {
  const { readText, writeTexts } = yield* Database
  const { maxStoreBytes } = yield* HubSettings
  const size = Effect.map(readText(Size, sizeText), ([row]) => row?.bytes ?? 0)
  const before = yield* size
  if (before <= maxStoreBytes) return
  const now = yield* Clock.currentTimeMillis
  let left = before
  for (const step of steps) {
    yield* writeTexts([...step(now), { sql: "UPDATE store SET trimmed_at = ?", parameters: [now] }])
    left = yield* size
    if (left <= maxStoreBytes) break
  }
  const sizes = `it held ${before} bytes and now holds ${left}; its bound is ${maxStoreBytes} (--max-store-bytes)`
  yield* left <= maxStoreBytes
    ? Effect.logWarning(`the store was full, and the oldest history was thrown away: ${sizes}`)
    : Effect.logError(`the store is full, though all history that may go was thrown away: ${sizes}. Raise the bound`)
})

/** Looks each minute. A store that fails says so by itself, to whoever needs it. */
export const running: Layer.Layer<never, never, Database | HubSettings> = Layer.scopedDiscard(
  trim.pipe(
    Effect.catchAll((error) => Effect.logError(error.message)),
    Effect.repeat(Schedule.spaced(Duration.minutes(1))),
    Effect.forkScoped
  )
).pipe(Layer.ensureRequirementsType<Database | HubSettings>())
