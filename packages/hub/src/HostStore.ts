import { HostEvent } from "@felhom/domain/HostEvent"
import type { HostId } from "@felhom/domain/HostId"
import type { HostDetail, HostSummary, SignedReports } from "@felhom/domain/HubApi"
import { Context, Effect, Layer, Option, Schema } from "effect"
import { Database } from "./Database.ts"
import { HostJudge } from "./HostJudge.ts"
import { keptReports, reportIn, signedBytes } from "./KeptReports.ts"
import type { StoreError } from "./StoreError.ts"

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

const EventRow = Schema.Struct({ body: Schema.parseJson(HostEvent) })

const Present = Schema.Struct({ epoch: Schema.String })

const presenceRank = { silent: 2, late: 3, online: 4 } as const

/** Silent hosts first, then those with something to look at, then late ones; hosts alike are in the order of their names. */
const worstFirst = (a: HostSummary, b: HostSummary): number => rank(a) - rank(b) || compare(nameOf(a), nameOf(b))

const rank = ({ acknowledged, attention, presence, retiredAt }: HostSummary): number => {
  if (attention.length > 0) return presence === "silent" ? 0 : 1
  return retiredAt !== null ? 5 : acknowledged.length > 0 ? 2 : presenceRank[presence]
}

const nameOf = ({ host }: HostSummary): string => `${host.node} ${host.id}`

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

const make = Effect.gen(function*() {
  const database = yield* Database
  const { read, sql } = database
  const judge = yield* HostJudge

  const presentEpoch = (id: HostId) =>
    Effect.map(read(Present, sql`SELECT epoch FROM host WHERE host_id = ${id}`), (rows) => Option.fromNullable(rows[0]))

  return HostStore.of({
    list: Effect.map(judge.all, (hosts) => hosts.map(({ summary }) => summary).toSorted(worstFirst)),
    get: (id) =>
      Effect.gen(function*() {
        const found = yield* judge.one(id)
        const kept = yield* keptReports(database, id)
        if (found === undefined || Option.isNone(kept)) return Option.none()
        const { samples, sections } = yield* reportIn(kept.value.latest)
        const inventory = kept.value.inventory === null ? null : (yield* reportIn(kept.value.inventory)).inventory
        return Option.some({ summary: found.summary, inventory, samples, sections })
      }),
    signed: (id) =>
      Effect.map(
        keptReports(database, id),
        Option.map(({ inventory, latest }) => ({
          report: signedBytes(latest),
          inventory: inventory === null ? null : signedBytes(inventory)
        }))
      ),
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

export const layer: Layer.Layer<HostStore, never, Database | HostJudge> = Layer.effect(HostStore, make).pipe(
  Layer.ensureRequirementsType<Database | HostJudge>()
)
