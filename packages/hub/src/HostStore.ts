import { HostEvent } from "@felhom/domain/HostEvent"
import type { HostId } from "@felhom/domain/HostId"
import { Inventory, ReportingHost, ReportSections, Samples } from "@felhom/domain/HostReport"
import type { HostDetail, HostSummary, SignedReports } from "@felhom/domain/HubApi"
import { EpochMillis } from "@felhom/domain/Time"
import { Array, Clock, Context, Effect, Encoding, Layer, Option, Schema } from "effect"
import { promisify } from "node:util"
import { gunzip } from "node:zlib"
import { AlarmStore } from "./AlarmStore.ts"
import { attentionOf } from "./Attention.ts"
import { Database } from "./Database.ts"
import { InventoryFacts, ReportFacts } from "./HostFacts.ts"
import { presenceOf } from "./Presence.ts"
import { StoreError } from "./StoreError.ts"

/** What the hub knows of its hosts, as people ask for it. */
export class HostStore extends Context.Tag("felhom/hub/HostStore")<HostStore, {
  /** All hosts, those that need attention first. */
  readonly list: Effect.Effect<ReadonlyArray<HostSummary>, StoreError>
  readonly get: (id: HostId) => Effect.Effect<Option.Option<HostDetail>, StoreError>
  /** The host's last reports with its own signatures; none when the host is unknown or its reports were not kept. */
  readonly signed: (id: HostId) => Effect.Effect<Option.Option<SignedReports>, StoreError>
  /** Up to `limit` events of the present epoch with a number above `after`, ascending; none when the host is unknown. */
  readonly events: (
    id: HostId,
    after: number,
    limit: number
  ) => Effect.Effect<Option.Option<ReadonlyArray<HostEvent>>, StoreError>
}>() {}

const SummaryRow = Schema.Struct({
  identity: Schema.parseJson(ReportingHost),
  sequence: Schema.NullOr(Schema.Int),
  firstSeen: EpochMillis,
  lastSeen: EpochMillis,
  takenAt: EpochMillis,
  promisedSeconds: Schema.Number,
  lastSelftest: Schema.NullOr(EpochMillis),
  inventoryFacts: Schema.NullOr(Schema.parseJson(InventoryFacts)),
  reportFacts: Schema.parseJson(ReportFacts),
  staleRun: Schema.Int,
  staleSequence: Schema.NullOr(Schema.Int),
  events: Schema.Int,
  eventsMissing: Schema.Int,
  gapAt: Schema.NullOr(EpochMillis),
  proxmoxTrouble: Schema.NullOr(Schema.String)
})

const StateRow = Schema.Struct({
  inventory: Schema.NullOr(Schema.parseJson(Inventory)),
  samples: Schema.parseJson(Samples),
  sections: Schema.parseJson(ReportSections)
})

const EventRow = Schema.Struct({ body: Schema.parseJson(HostEvent) })

const CriticalRow = Schema.Struct({ hostId: Schema.String, body: Schema.parseJson(HostEvent) })

/** The driver gives a BLOB as an `ArrayBuffer`. */
const Blob = Schema.transform(Schema.instanceOf(ArrayBuffer), Schema.Uint8ArrayFromSelf, {
  strict: true,
  decode: (buffer) => new Uint8Array(buffer),
  encode: (bytes) => bytes.slice().buffer
})

const SignedRow = Schema.Struct({ body: Blob, signature: Schema.NullOr(Schema.String) })

const gunzipped = promisify(gunzip)

const Present = Schema.Struct({ epoch: Schema.String })

/** How long a critical event and a loss of events call for attention by themselves. */
const day = 86_400_000

/** What these tell is in the host's state, for as long as it lasts. */
const shownByState = /^(?:proxmox|storage)\./

const presenceRank = { silent: 0, late: 2, online: 3 } as const

/** Silent hosts first, then those with something to look at, then late ones; hosts alike are in the order of their names. */
const worstFirst = (a: HostSummary, b: HostSummary): number => rank(a) - rank(b) || compare(nameOf(a), nameOf(b))

const rank = (summary: HostSummary): number => {
  const byPresence = presenceRank[summary.presence]
  return summary.attention.length === 0 ? byPresence : Math.min(1, byPresence)
}

const nameOf = ({ host }: HostSummary): string => `${host.node} ${host.id}`

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

const summaryOf = (
  row: typeof SummaryRow.Type,
  critical: ReadonlyArray<HostEvent>,
  alarms: ReadonlyArray<string>,
  now: number
): HostSummary => {
  const presence = presenceOf(row.lastSeen, row.promisedSeconds, now)
  return {
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
    attention: [
      ...alarms,
      ...attentionOf({
        presence,
        silence: now - row.lastSeen,
        sequence: row.sequence,
        inventory: row.inventoryFacts,
        report: row.reportFacts,
        proxmoxTrouble: row.proxmoxTrouble,
        eventsLost: row.gapAt !== null && now - row.gapAt < day ? row.eventsMissing : 0,
        critical: critical.filter(({ kind }) => !shownByState.test(kind)),
        staleRun: row.staleRun,
        staleSequence: row.staleSequence
      })
    ]
  }
}

const unpack = (packed: Uint8Array): Effect.Effect<Uint8Array, StoreError> =>
  Effect.tryPromise({
    try: () => gunzipped(packed),
    catch: (cause) => new StoreError({ reason: "corrupt", path: "report", detail: String(cause) })
  })

const make = Effect.gen(function*() {
  const { read, sql } = yield* Database
  const alarms = yield* AlarmStore

  const signedBytes = ({ body, signature }: typeof SignedRow.Type) =>
    Effect.map(unpack(body), (plain) => ({
      payload: Encoding.encodeBase64(plain),
      signatures: signature === null ? [] : [signature]
    }))
  const summarySelect = sql.literal(`
    SELECT host.identity, host.sequence, host.first_seen AS "firstSeen", host.last_seen AS "lastSeen",
      host.taken_at AS "takenAt", host.promised_seconds AS "promisedSeconds", host.last_selftest AS "lastSelftest",
      host.inventory_facts AS "inventoryFacts", host.report_facts AS "reportFacts", host.stale_run AS "staleRun",
      host.stale_sequence AS "staleSequence", coalesce(event_count, 0) AS "events",
      coalesce(event_max - event_count, 0) AS "eventsMissing", gap_at AS "gapAt", proxmox_trouble AS "proxmoxTrouble"
    FROM host LEFT JOIN host_epoch ON host_epoch.host_id = host.host_id AND host_epoch.epoch = host.epoch`)

  /** By the hosts' clocks, so a host whose clock is days off shows its critical events too long or not at all. */
  const criticalSince = (since: number) =>
    Effect.map(
      read(
        CriticalRow,
        sql`SELECT event.host_id AS "hostId", event.body FROM event JOIN host
          ON host.host_id = event.host_id AND host.epoch = event.epoch
          WHERE severity = 'critical' AND at > ${since} ORDER BY event.host_id, seq`
      ),
      Array.groupBy(({ hostId }) => hostId)
    )

  const presentEpoch = (id: HostId) =>
    Effect.map(read(Present, sql`SELECT epoch FROM host WHERE host_id = ${id}`), (rows) => Option.fromNullable(rows[0]))

  const summaries = (rows: ReadonlyArray<typeof SummaryRow.Type>) =>
    Effect.gen(function*() {
      const now = yield* Clock.currentTimeMillis
      const critical = yield* criticalSince(now - day)
      const raised = yield* alarms.sentences
      return rows.map((row) => {
        const { id } = row.identity
        return summaryOf(row, (critical[id] ?? []).map(({ body }) => body), raised.get(id) ?? [], now)
      })
    })

  return HostStore.of({
    list: read(SummaryRow, sql`${summarySelect}`).pipe(
      Effect.flatMap(summaries),
      Effect.map((list) => list.toSorted(worstFirst))
    ),
    get: (id) =>
      Effect.gen(function*() {
        const [summary] = yield* Effect.flatMap(
          read(SummaryRow, sql`${summarySelect} WHERE host.host_id = ${id}`),
          summaries
        )
        const [state] = yield* read(StateRow, sql`SELECT inventory, samples, sections FROM host WHERE host_id = ${id}`)
        return summary === undefined || state === undefined ? Option.none() : Option.some({ summary, ...state })
      }),
    signed: (id) =>
      Effect.gen(function*() {
        const [report] = yield* read(
          SignedRow,
          sql`SELECT report.body, report.signature FROM report JOIN host ON host.host_id = report.host_id
              AND host.epoch = report.epoch AND host.sequence = report.sequence
            WHERE report.host_id = ${id}
            UNION ALL
            SELECT * FROM (SELECT selftest.body, selftest.signature FROM selftest JOIN host ON host.host_id = selftest.host_id
              WHERE selftest.host_id = ${id} AND host.sequence IS NULL ORDER BY id DESC LIMIT 1)`
        )
        if (report === undefined) return Option.none()
        const [inventory] = yield* read(
          SignedRow,
          sql`SELECT body, signature FROM inventory_report WHERE host_id = ${id}`
        )
        return Option.some({
          report: yield* signedBytes(report),
          inventory: inventory === undefined ? null : yield* signedBytes(inventory)
        })
      }),
    events: (id, after, limit) =>
      Effect.flatMap(presentEpoch(id), (present) =>
        Effect.transposeMapOption(present, ({ epoch }) =>
          Effect.map(
            read(
              EventRow,
              sql`SELECT body FROM event WHERE host_id = ${id} AND epoch = ${epoch} AND seq > ${after}
                ORDER BY seq LIMIT ${limit}`
            ),
            (rows) => rows.map(({ body }) => body)
          )))
  })
})

export const layer: Layer.Layer<HostStore, never, Database | AlarmStore> = Layer.effect(HostStore, make).pipe(
  Layer.ensureRequirementsType<Database | AlarmStore>()
)
