import type { Statement } from "@effect/sql"
import { type Alarm, AlarmSeverity } from "@felhom/domain/AlarmApi"
import { HostId } from "@felhom/domain/HostId"
import { EpochMillis } from "@felhom/domain/Time"
import { Clock, Context, Effect, Layer, Option, Schema, Struct } from "effect"
import { titleOf } from "./AlarmTitle.ts"
import { Database } from "./Database.ts"
import type { StoreError } from "./StoreError.ts"

/** One host under an open alarm. Times by the hub's clock. */
export const AlarmMember = Schema.Struct({
  host: HostId,
  node: Schema.String,
  severity: AlarmSeverity,
  sentence: Schema.String,
  since: Schema.Int,
  clearedAt: Schema.NullOr(Schema.Int),
  /** When a notice, or an acknowledgement, first covered it. */
  toldAt: Schema.NullOr(Schema.Int),
  acknowledged: Schema.Boolean,
  /** How often it came back within the last hours: each time it has to stay well for longer. */
  returns: Schema.Int
})
export type AlarmMember = typeof AlarmMember.Type

export interface Acknowledgement {
  readonly by: string
  readonly at: number
  readonly until: number | null
  readonly note: string
}

/** An alarm as the hub keeps it. */
export interface KeptAlarm {
  readonly id: number
  readonly cause: string
  readonly severity: AlarmSeverity
  readonly raisedAt: number
  readonly notifiedAt: number | null
  readonly recoveredAt: number | null
  readonly acknowledgement: Acknowledgement | null
  readonly members: ReadonlyArray<AlarmMember>
}

/** A host that was under a cause a short while ago. */
export interface Recent {
  readonly cause: string
  readonly host: HostId
  readonly returns: number
}

/** The alarms, open and over, in the store. */
export class AlarmBook extends Context.Tag("felhom/hub/AlarmBook")<AlarmBook, {
  readonly open: Effect.Effect<ReadonlyArray<KeptAlarm>, StoreError>
  /** Open ones, and up to a hundred that are over, the latest first. */
  readonly all: Effect.Effect<ReadonlyArray<KeptAlarm>, StoreError>
  /** Who was under which cause since then, in alarms that are over. */
  readonly recent: (since: number) => Effect.Effect<ReadonlyArray<Recent>, StoreError>
  /** The number of the next alarm. */
  readonly nextId: Effect.Effect<number, StoreError>
  /** What keeps an alarm as it is now. */
  readonly keep: (alarm: KeptAlarm) => ReadonlyArray<Statement.Statement<unknown>>
  /** Covers all hosts that are under the open alarm now; none when there is no such open alarm. */
  readonly acknowledge: (
    id: number,
    by: string,
    seconds: number | null,
    note: string
  ) => Effect.Effect<Option.Option<KeptAlarm>, StoreError>
  /** Forgets what is long over. */
  readonly prune: Effect.Effect<void, StoreError>
  /** Whoever reads alarms and writes what follows must do it in here. */
  readonly alone: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}>() {}

const AlarmRow = Schema.Struct({
  id: Schema.Int,
  cause: Schema.String,
  severity: AlarmSeverity,
  raisedAt: Schema.Int,
  notifiedAt: Schema.NullOr(Schema.Int),
  recoveredAt: Schema.NullOr(Schema.Int),
  ackBy: Schema.NullOr(Schema.String),
  ackAt: Schema.NullOr(Schema.Int),
  ackUntil: Schema.NullOr(Schema.Int),
  ackNote: Schema.NullOr(Schema.String)
})

const MemberRow = Schema.Struct({
  ...AlarmMember.fields,
  alarmId: Schema.Int,
  acknowledged: Schema.transform(Schema.Int, Schema.Boolean, {
    strict: true,
    decode: (number) => number === 1,
    encode: (yes) => (yes ? 1 : 0)
  })
})

const RecentRow = Schema.Struct({ cause: Schema.String, host: HostId, returns: Schema.Int })

const Sequence = Schema.Struct({ last: Schema.Int })

const kept = (row: typeof AlarmRow.Type, members: ReadonlyArray<typeof MemberRow.Type>): KeptAlarm => ({
  id: row.id,
  cause: row.cause,
  severity: row.severity,
  raisedAt: row.raisedAt,
  notifiedAt: row.notifiedAt,
  recoveredAt: row.recoveredAt,
  acknowledgement: row.ackBy === null || row.ackAt === null
    ? null
    : { by: row.ackBy, at: row.ackAt, until: row.ackUntil, note: row.ackNote ?? "" },
  members: members.filter(({ alarmId }) => alarmId === row.id).map((member) => Struct.omit(member, "alarmId"))
})

/** How many alarms that are over are kept, and for how long, in milliseconds. */
const keptAtMost = 1_000
const keptFor = 90 * 86_400_000

const shownOver = 100

/** As people and programs see it. `fleet` is how many hosts the hub expects to hear. */
export const shown = (alarm: KeptAlarm, fleet: number): Alarm => ({
  id: alarm.id,
  cause: alarm.cause,
  title: titleOf(alarm.cause, alarm.members, fleet),
  severity: alarm.severity,
  raisedAt: EpochMillis.make(alarm.raisedAt),
  notifiedAt: alarm.notifiedAt === null ? null : EpochMillis.make(alarm.notifiedAt),
  recoveredAt: alarm.recoveredAt === null ? null : EpochMillis.make(alarm.recoveredAt),
  acknowledged: alarm.acknowledgement === null ? null : {
    ...alarm.acknowledgement,
    at: EpochMillis.make(alarm.acknowledgement.at),
    until: alarm.acknowledgement.until === null ? null : EpochMillis.make(alarm.acknowledgement.until)
  },
  hosts: alarm.members.map(({ acknowledged, clearedAt, host, node, sentence, since }) => ({
    host,
    node,
    sentence,
    since: EpochMillis.make(since),
    clearedAt: clearedAt === null ? null : EpochMillis.make(clearedAt),
    acknowledged: alarm.acknowledgement !== null && acknowledged
  }))
})

const make = Effect.gen(function*() {
  const { read, sql, write } = yield* Database
  const turn = yield* Effect.makeSemaphore(1)
  const alarmSelect = sql.literal(`SELECT id, cause, severity, raised_at AS "raisedAt", notified_at AS "notifiedAt",
    recovered_at AS "recoveredAt", ack_by AS "ackBy", ack_at AS "ackAt", ack_until AS "ackUntil", ack_note AS "ackNote"
    FROM cause_alarm`)
  const memberSelect = sql.literal(`SELECT alarm_id AS "alarmId", host_id AS host, node, severity, sentence, since,
    cleared_at AS "clearedAt", told_at AS "toldAt", acknowledged, returns FROM cause_alarm_host`)

  const alarms = (which: Statement.Statement<unknown>) =>
    Effect.gen(function*() {
      const rows = yield* read(AlarmRow, which)
      const ids = JSON.stringify(rows.map(({ id }) => id))
      const members = yield* read(
        MemberRow,
        sql`${memberSelect} WHERE alarm_id IN (SELECT value FROM json_each(${ids})) ORDER BY since, node, host_id`
      )
      return rows.map((row) => kept(row, members))
    })

  const open = alarms(sql`${alarmSelect} WHERE recovered_at IS NULL ORDER BY severity = 'critical' DESC, id`)

  const keep = (alarm: KeptAlarm) => {
    const { acknowledgement: ack } = alarm
    return [
      sql`INSERT INTO cause_alarm (id, cause, severity, raised_at, notified_at, recovered_at, ack_by, ack_at, ack_until, ack_note)
        VALUES (${alarm.id}, ${alarm.cause}, ${alarm.severity}, ${alarm.raisedAt}, ${alarm.notifiedAt},
          ${alarm.recoveredAt}, ${ack?.by ?? null}, ${ack?.at ?? null}, ${ack?.until ?? null}, ${ack?.note ?? null})
        ON CONFLICT (id) DO UPDATE SET severity = excluded.severity, notified_at = excluded.notified_at,
          recovered_at = excluded.recovered_at, ack_by = excluded.ack_by, ack_at = excluded.ack_at,
          ack_until = excluded.ack_until, ack_note = excluded.ack_note`,
      ...alarm.members.map((member) =>
        sql`INSERT INTO cause_alarm_host (alarm_id, host_id, node, severity, sentence, since, cleared_at, told_at,
            acknowledged, returns)
          VALUES (${alarm.id}, ${member.host}, ${member.node}, ${member.severity}, ${member.sentence}, ${member.since},
            ${member.clearedAt}, ${member.toldAt}, ${member.acknowledged ? 1 : 0}, ${member.returns})
          ON CONFLICT (alarm_id, host_id) DO UPDATE SET node = excluded.node, severity = excluded.severity,
            sentence = excluded.sentence, since = excluded.since, cleared_at = excluded.cleared_at,
            told_at = excluded.told_at, acknowledged = excluded.acknowledged, returns = excluded.returns`
      )
    ]
  }

  return AlarmBook.of({
    open,
    all: Effect.zipWith(
      open,
      alarms(
        sql`${alarmSelect} WHERE recovered_at IS NOT NULL ORDER BY recovered_at DESC, id DESC LIMIT ${shownOver}`
      ),
      (present, over) => [...present, ...over]
    ),
    recent: (since) =>
      read(
        RecentRow,
        sql`SELECT cause, cause_alarm_host.host_id AS host, max(returns) AS returns
          FROM cause_alarm JOIN cause_alarm_host ON alarm_id = id WHERE recovered_at > ${since} GROUP BY 1, 2`
      ),
    nextId: Effect.map(
      read(Sequence, sql`SELECT coalesce(max(seq), 0) AS last FROM sqlite_sequence WHERE name = 'cause_alarm'`),
      ([row]) => (row?.last ?? 0) + 1
    ),
    keep,
    acknowledge: (id, by, seconds, note) =>
      turn.withPermits(1)(Effect.gen(function*() {
        const found = (yield* open).find((alarm) => alarm.id === id)
        if (found === undefined) return Option.none()
        const now = yield* Clock.currentTimeMillis
        const acknowledged: KeptAlarm = {
          ...found,
          acknowledgement: { by, at: now, until: seconds === null ? null : now + seconds * 1000, note },
          members: found.members.map((member) => ({ ...member, acknowledged: true, toldAt: member.toldAt ?? now }))
        }
        yield* write(keep(acknowledged))
        return Option.some(acknowledged)
      })),
    prune: Effect.flatMap(Clock.currentTimeMillis, (now) =>
      Effect.asVoid(write([
        sql`DELETE FROM cause_alarm WHERE recovered_at < ${now - keptFor} OR id IN (SELECT id FROM cause_alarm
          WHERE recovered_at IS NOT NULL ORDER BY recovered_at DESC LIMIT -1 OFFSET ${keptAtMost})`,
        sql`DELETE FROM cause_alarm_host WHERE alarm_id NOT IN (SELECT id FROM cause_alarm)`
      ]))),
    alone: (effect) => turn.withPermits(1)(effect)
  })
})

export const layer: Layer.Layer<AlarmBook, never, Database> = Layer.effect(AlarmBook, make).pipe(
  Layer.ensureRequirementsType<Database>()
)
