import { HostEvent } from "@felhom/domain/HostEvent"
import type { HostId } from "@felhom/domain/HostId"
import { ReportingHost } from "@felhom/domain/HostReport"
import type { HostSummary } from "@felhom/domain/HubApi"
import { EpochMillis } from "@felhom/domain/Time"
import { Array, Clock, Context, Effect, Layer, Schema } from "effect"
import { AlarmBook, type KeptAlarm } from "./AlarmBook.ts"
import { AlarmStore } from "./AlarmStore.ts"
import { concernsOf } from "./Attention.ts"
import type { Concern } from "./Concern.ts"
import { Database } from "./Database.ts"
import { desiredConcerns, type DesiredSides, desiredSides, desiredStanding } from "./DesiredStandings.ts"
import { InventoryFacts, ReportFacts } from "./HostFacts.ts"
import { HubUptime } from "./HubUptime.ts"
import { opConcerns } from "./OpConcerns.ts"
import { fairPresence } from "./Presence.ts"
import { rememberedJson } from "./RememberedJson.ts"
import { type Behind, behindConcern, hostsBehind } from "./SignersBehind.ts"
import type { StoreError } from "./StoreError.ts"

const Row = Schema.Struct({
  identity: rememberedJson(ReportingHost),
  sequence: Schema.NullOr(Schema.Int),
  firstSeen: EpochMillis,
  lastSeen: EpochMillis,
  takenAt: EpochMillis,
  promisedSeconds: Schema.Number,
  lastSelftest: Schema.NullOr(EpochMillis),
  inventoryFacts: Schema.NullOr(rememberedJson(InventoryFacts)),
  reportFacts: rememberedJson(ReportFacts),
  staleRun: Schema.Int,
  staleSequence: Schema.NullOr(Schema.Int),
  events: Schema.Int,
  eventsMissing: Schema.Int,
  eventsBeforeRestore: Schema.Int,
  gapAt: Schema.NullOr(EpochMillis),
  proxmoxTrouble: Schema.NullOr(Schema.String),
  stateTrouble: Schema.NullOr(Schema.String),
  retiredAt: Schema.NullOr(EpochMillis)
})
type Row = typeof Row.Type

/** A host with all that the hub thinks of it, acknowledged or not. */
export interface JudgedHost {
  readonly summary: HostSummary
  readonly concerns: ReadonlyArray<Concern>
}

/** What the hub thinks of its hosts. */
export class HostJudge extends Context.Tag("felhom/hub/HostJudge")<HostJudge, {
  /** All hosts that ever reported, retired ones as well. */
  readonly all: Effect.Effect<ReadonlyArray<JudgedHost>, StoreError>
  /** One host; undefined when it never reported. */
  readonly one: (id: HostId) => Effect.Effect<JudgedHost | undefined, StoreError>
}>() {}

const CriticalRow = Schema.Struct({ hostId: Schema.String, body: Schema.parseJson(HostEvent) })

/** How long a critical event and a loss of events call for attention by themselves. */
const day = 86_400_000

/** What these tell is in the host's state or among its ops, for as long as it lasts. */
const shownByState = /^(?:proxmox|storage|state|op)\./

/** What all hosts are judged by. */
interface Present {
  readonly now: number
  readonly hubSince: number
  readonly critical: { readonly [host: string]: ReadonlyArray<HostEvent> }
  readonly refusals: ReadonlyMap<string, ReadonlyArray<Concern>>
  readonly ops: ReadonlyMap<string, ReadonlyArray<Concern>>
  readonly behind: ReadonlyMap<string, Behind>
  readonly desired: ReadonlyMap<string, DesiredSides>
  readonly alarms: ReadonlyArray<KeptAlarm>
  readonly successors: ReadonlyMap<string, string>
}

const isUnder = (alarms: ReadonlyArray<KeptAlarm>, cause: string, host: string): boolean =>
  alarms.some((alarm) =>
    alarm.cause === cause && alarm.members.some((member) => member.host === host && member.clearedAt === null)
  )

const until = (at: number | null): string =>
  at === null ? "" : ` until ${new Date(at).toISOString().slice(0, 16).replace("T", " ")} UTC`

/** Who looks after it and until when; undefined when nobody said so. */
export const acknowledgedAs = (alarms: ReadonlyArray<KeptAlarm>, cause: string, host: string): string | undefined => {
  const alarm = alarms.find((alarm) => alarm.cause === cause)
  const ack = alarm?.acknowledgement ?? null
  const covered = alarm?.members.some((member) => member.host === host && member.acknowledged) ?? false
  if (ack === null || !covered) return undefined
  return `acknowledged by ${ack.by}${until(ack.until)}${ack.note === "" ? "" : `: ${ack.note}`}`
}

const judged = (row: Row, present: Present): JudgedHost => {
  const { alarms, now } = present
  const { id } = row.identity
  const presence = fairPresence({ ...row, wasSilent: isUnder(alarms, "silent", id) }, present.hubSince, now)
  const retired = row.retiredAt !== null
  const retiredAndReports = retired && row.lastSeen > row.retiredAt
  const found = retired && !retiredAndReports ? [] : [
    ...(present.refusals.get(id) ?? []),
    ...(present.ops.get(id) ?? []),
    ...behindConcern(present.behind.get(id), row.lastSeen),
    ...desiredConcerns(present.desired.get(id), row.lastSeen),
    ...concernsOf({
      presence,
      silence: now - row.lastSeen,
      sequence: row.sequence,
      inventory: row.inventoryFacts,
      report: row.reportFacts,
      proxmoxTrouble: row.proxmoxTrouble,
      stateTrouble: row.stateTrouble,
      clockAhead: row.takenAt - row.lastSeen,
      successor: present.successors.get(id) ?? null,
      retiredAndReports,
      eventsLost: row.gapAt !== null && now - row.gapAt < day ? row.eventsMissing : 0,
      critical: (present.critical[id] ?? []).filter(({ kind }) => !shownByState.test(kind)),
      staleRun: row.staleRun,
      staleSequence: row.staleSequence
    })
  ]
  const words = found.map((concern) => ({
    sentence: concern.sentence,
    acknowledged: acknowledgedAs(alarms, concern.cause, id)
  }))
  return {
    concerns: found,
    summary: {
      host: row.identity,
      sequence: row.sequence,
      firstSeen: row.firstSeen,
      lastSeen: row.lastSeen,
      takenAt: row.takenAt,
      presence,
      lastSelftest: row.lastSelftest,
      guests: row.inventoryFacts?.guests ?? null,
      storages: row.inventoryFacts?.storages ?? null,
      events: row.events,
      eventsMissing: row.eventsMissing,
      eventsBeforeRestore: row.eventsBeforeRestore,
      attention: words.flatMap(({ acknowledged, sentence }) => (acknowledged === undefined ? [sentence] : [])),
      acknowledged: words.flatMap(({ acknowledged, sentence }) =>
        acknowledged === undefined ? [] : [`${sentence} (${acknowledged})`]
      ),
      retiredAt: row.retiredAt,
      signersBehind: present.behind.get(id)?.standing ?? null,
      desired: desiredStanding(present.desired.get(id))
    }
  }
}

const Namesake = Schema.Struct({
  id: Schema.String,
  node: Schema.String,
  firstSeen: Schema.Int,
  lastSeen: Schema.Int
})

/**
 * Which host may be the same machine installed anew, by the old one's id: the newest of its node's name, if it came only after the
 * other had gone; two homes may both have a node pve. One look at each host: this runs over the whole fleet all the time.
 */
const successorsAmong = (hosts: ReadonlyArray<typeof Namesake.Type>): ReadonlyMap<string, string> => {
  const newest = new Map<string, typeof Namesake.Type>()
  for (const host of hosts) {
    const known = newest.get(host.node)
    if (known === undefined || host.firstSeen > known.firstSeen) newest.set(host.node, host)
  }
  return new Map(hosts.flatMap(({ id, lastSeen, node }) => {
    const heir = newest.get(node)
    return heir !== undefined && heir.firstSeen > lastSeen ? [[id, heir.id.slice(0, 8)]] : []
  }))
}

const make = Effect.gen(function*() {
  const database = yield* Database
  const { read, sql } = database
  const refusals = yield* AlarmStore
  const book = yield* AlarmBook
  const uptime = yield* HubUptime

  const select = sql.literal(`
    SELECT host.identity, host.sequence, host.first_seen AS "firstSeen", host.last_seen AS "lastSeen",
      host.taken_at AS "takenAt", host.promised_seconds AS "promisedSeconds", host.last_selftest AS "lastSelftest",
      host.inventory_facts AS "inventoryFacts", host.report_facts AS "reportFacts", host.stale_run AS "staleRun",
      host.stale_sequence AS "staleSequence", coalesce(event_count - before_restore, 0) AS "events",
      coalesce(event_max - event_count, 0) AS "eventsMissing", coalesce(before_restore, 0) AS "eventsBeforeRestore",
      gap_at AS "gapAt", proxmox_trouble AS "proxmoxTrouble", state_trouble AS "stateTrouble",
      retired_host.at AS "retiredAt"
    FROM host LEFT JOIN host_epoch ON host_epoch.host_id = host.host_id AND host_epoch.epoch = host.epoch
      LEFT JOIN retired_host ON retired_host.host_id = host.host_id`)

  /** By the hub's clock: a host's own may be days off. */
  const criticalSince = (since: number) =>
    Effect.map(
      read(
        CriticalRow,
        sql`SELECT event.host_id AS "hostId", event.body FROM event JOIN host
          ON host.host_id = event.host_id AND host.epoch = event.epoch
          WHERE severity = 'critical' AND coalesce(received_at, at) > ${since} ORDER BY event.host_id, seq`
      ),
      (rows) =>
        Object.fromEntries(
          Object.entries(Array.groupBy(rows, ({ hostId }) => hostId)).map(([id, rows]) => [
            id,
            rows.map(({ body }) => body)
          ])
        )
    )

  const successors = Effect.map(
    read(
      Namesake,
      sql`SELECT host_id AS id, json_extract(identity, '$.node') AS node, first_seen AS "firstSeen", last_seen AS "lastSeen"
        FROM host WHERE host_id NOT IN (SELECT host_id FROM retired_host)`
    ),
    successorsAmong
  )

  const judge = (rows: ReadonlyArray<Row>) =>
    Effect.gen(function*() {
      const now = yield* Clock.currentTimeMillis
      const present: Present = {
        now,
        hubSince: yield* uptime.since,
        critical: yield* criticalSince(now - day),
        refusals: yield* refusals.concerns,
        ops: yield* opConcerns(database, now),
        behind: yield* hostsBehind(database),
        desired: yield* desiredSides(database),
        alarms: yield* book.open,
        successors: yield* successors
      }
      return rows.map((row) => judged(row, present))
    })

  return HostJudge.of({
    all: Effect.flatMap(read(Row, sql`${select}`), judge),
    one: (id) =>
      Effect.map(
        Effect.flatMap(read(Row, sql`${select} WHERE host.host_id = ${id}`), judge),
        ([found]) => found
      )
  })
})

export const layer: Layer.Layer<HostJudge, never, Database | AlarmStore | AlarmBook | HubUptime> = Layer.effect(
  HostJudge,
  make
).pipe(Layer.ensureRequirementsType<Database | AlarmStore | AlarmBook | HubUptime>())
