import type { Statement } from "@effect/sql"
import { Notice, type NoticeChannel, type NoticeTest } from "@felhom/domain/AlarmApi"
import { EpochMillis } from "@felhom/domain/Time"
import { Clock, Context, Effect, Either, Layer, Schema } from "effect"
import { Database } from "./Database.ts"
import { type Channel, NoticeChannels } from "./NoticeChannels.ts"
import type { StoreError } from "./StoreError.ts"

/**
 * Notices on their way. They are queued in the same transaction as what they tell of, once for each channel, and tried again
 * until the other side took them or a day is over: a hub that is restarted neither repeats nor forgets one.
 */
export class Outbox extends Context.Tag("felhom/hub/Outbox")<Outbox, {
  readonly queue: (notice: Notice, now: number) => ReadonlyArray<Statement.Statement<unknown>>
  /** Tries what is due, in its order, each once. */
  readonly deliver: Effect.Effect<void, StoreError>
  /** How each channel that is set up does. */
  readonly channels: Effect.Effect<ReadonlyArray<NoticeChannel>, StoreError>
  /** Sends this one through every channel now, past the queue, and says what became of it. */
  readonly test: (notice: Notice) => Effect.Effect<ReadonlyArray<NoticeTest>, StoreError>
  /** Gives up what waits for a channel that is set up no more, and forgets what is long done. */
  readonly tidy: Effect.Effect<void, StoreError>
}>() {}

const Due = Schema.Struct({
  id: Schema.Int,
  channel: Schema.String,
  body: Schema.parseJson(Notice),
  createdAt: Schema.Int,
  attempts: Schema.Int
})
type Due = typeof Due.Type

const Health = Schema.Struct({
  channel: Schema.String,
  deliveredAt: Schema.NullOr(EpochMillis),
  failingSince: Schema.NullOr(EpochMillis),
  lastError: Schema.NullOr(Schema.String),
  waiting: Schema.Int
})

const firstRetry = 10_000
const longestRetry = 1_800_000
/** After that long nobody wants to hear of it any more, in milliseconds. */
const givenUpAfter = 86_400_000
const keptFor = 7 * 86_400_000
const keptAtMost = 1_000

/** So many at one look, so that one channel can't keep the others waiting for long. */
const batch = 20

/** Milliseconds until it is tried again after `attempts` tries that failed: 10 s, then twice as long each time, to half an hour. */
export const retryAfter = (attempts: number): number =>
  Math.min(longestRetry, firstRetry * 2 ** Math.min(attempts - 1, 10))

const make = Effect.gen(function*() {
  const { read, sql, write } = yield* Database
  const channels = yield* NoticeChannels

  const succeeded = (channel: string, now: number) =>
    sql`INSERT INTO notice_channel (channel, delivered_at, failing_since, last_error) VALUES (${channel}, ${now}, NULL, NULL)
      ON CONFLICT (channel) DO UPDATE SET delivered_at = excluded.delivered_at, failing_since = NULL, last_error = NULL`

  const failed = (channel: string, error: string, now: number) =>
    sql`INSERT INTO notice_channel (channel, delivered_at, failing_since, last_error)
      VALUES (${channel}, NULL, ${now}, ${error})
      ON CONFLICT (channel) DO UPDATE SET failing_since = coalesce(failing_since, excluded.failing_since),
        last_error = excluded.last_error`

  const settle = ({ attempts, createdAt, id }: Due, channel: Channel, error: string | undefined) =>
    Effect.gen(function*() {
      const now = yield* Clock.currentTimeMillis
      if (error === undefined) {
        return yield* write([
          sql`UPDATE notice SET delivered_at = ${now}, attempts = ${attempts + 1} WHERE id = ${id}`,
          succeeded(channel.channel, now)
        ])
      }
      const dueAt = now + retryAfter(attempts + 1)
      const givenUp = dueAt - createdAt > givenUpAfter
      yield* Effect.logWarning(
        givenUp ? "a notice was given up after a day" : "a notice did not get through; it is tried again",
        error
      ).pipe(Effect.annotateLogs({ channel: channel.channel, target: channel.target, attempts: attempts + 1 }))
      return yield* write([
        sql`UPDATE notice SET attempts = ${attempts + 1}, due_at = ${dueAt}, last_error = ${error},
          given_up_at = ${givenUp ? now : null} WHERE id = ${id}`,
        failed(channel.channel, error, now)
      ])
    })

  const tried = (due: Due, channel: Channel) =>
    Effect.flatMap(
      Effect.either(channel.send(due.body)),
      (result) => settle(due, channel, Either.isLeft(result) ? result.left.message : undefined)
    )

  const dueOf = (channel: Channel) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) =>
      read(
        Due,
        sql`SELECT id, channel, body, created_at AS "createdAt", attempts FROM notice
          WHERE delivered_at IS NULL AND given_up_at IS NULL AND due_at <= ${now} AND channel = ${channel.channel}
          ORDER BY id LIMIT ${batch}`
      ))

  const tested = (notice: Notice) => (channel: Channel) =>
    Effect.gen(function*() {
      const result = yield* Effect.either(channel.send(notice))
      const now = yield* Clock.currentTimeMillis
      const error = Either.isLeft(result) ? result.left.message : null
      yield* write([error === null ? succeeded(channel.channel, now) : failed(channel.channel, error, now)])
      return { channel: channel.channel, target: channel.target, error }
    })

  const waiting = sql.literal("delivered_at IS NULL AND given_up_at IS NULL")

  return Outbox.of({
    queue: (notice, now) =>
      channels.map(({ channel }) =>
        sql`INSERT INTO notice (notice_id, channel, body, created_at, due_at)
          VALUES (${notice.id}, ${channel}, ${JSON.stringify(notice)}, ${now}, ${now})`
      ),
    deliver: Effect.forEach(
      channels,
      (channel) =>
        Effect.flatMap(dueOf(channel), (due) => Effect.forEach(due, (each) => tried(each, channel), { discard: true })),
      { discard: true, concurrency: "unbounded" }
    ),
    channels: Effect.gen(function*() {
      const rows = yield* read(
        Health,
        sql`SELECT each.channel, delivered_at AS "deliveredAt", failing_since AS "failingSince",
            last_error AS "lastError",
            (SELECT count(*) FROM notice WHERE notice.channel = each.channel AND ${waiting}) AS waiting
          FROM (SELECT channel FROM notice_channel UNION SELECT channel FROM notice) AS each
            LEFT JOIN notice_channel ON notice_channel.channel = each.channel`
      )
      return channels.map(({ channel, target }) => {
        const row = rows.find((row) => row.channel === channel)
        return {
          channel,
          target,
          deliveredAt: row?.deliveredAt ?? null,
          failingSince: row?.failingSince ?? null,
          lastError: row?.lastError ?? null,
          waiting: row?.waiting ?? 0
        }
      })
    }),
    test: (notice) => Effect.forEach(channels, tested(notice), { concurrency: "unbounded" }),
    tidy: Effect.flatMap(Clock.currentTimeMillis, (now) => {
      const names = JSON.stringify(channels.map(({ channel }) => channel))
      return Effect.asVoid(write([
        sql`UPDATE notice SET given_up_at = ${now}, last_error = 'this channel is set up no more'
          WHERE ${waiting} AND channel NOT IN (SELECT value FROM json_each(${names}))`,
        sql`DELETE FROM notice_channel WHERE channel NOT IN (SELECT value FROM json_each(${names}))`,
        sql`DELETE FROM notice WHERE NOT (${waiting}) AND (created_at < ${now - keptFor} OR id IN (SELECT id FROM notice
          WHERE NOT (${waiting}) ORDER BY id DESC LIMIT -1 OFFSET ${keptAtMost}))`
      ]))
    })
  })
})

export const layer: Layer.Layer<Outbox, never, Database | NoticeChannels> = Layer.effect(Outbox, make).pipe(
  Layer.ensureRequirementsType<Database | NoticeChannels>()
)
