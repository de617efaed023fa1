import type { AlarmList } from "@felhom/domain/AlarmApi"
import type { ExpectedHost, WaitingHost } from "@felhom/domain/EnrolmentApi"
import type { HostEvent } from "@felhom/domain/HostEvent"
import type { HostHistory } from "@felhom/domain/HostHistory"
import type { HostId } from "@felhom/domain/HostId"
import type { HostDetail, HostSummary, HubHealth, SignedReports } from "@felhom/domain/HubApi"
import type { EpochMillis } from "@felhom/domain/Time"
import { layer as pinnedHttp } from "@felhom/node/PinnedHttp"
import { Context, Effect, Layer, type Option } from "effect"
import type { Connection } from "./Connection.ts"
import { hubConnection, isUnknownAddress } from "./HubConnection.ts"
import type { OperatorError } from "./OperatorError.ts"

/** What an operator asks of the hub. Every failure is one sentence. */
export class HubReader extends Context.Tag("felhom/operator/HubReader")<HubReader, {
  /** All hosts, those that need attention first. */
  readonly hosts: Effect.Effect<ReadonlyArray<HostSummary>, OperatorError>
  readonly host: (id: HostId) => Effect.Effect<HostDetail, OperatorError>
  /** What the host itself said last; none when this hub keeps nothing of it, or is too old to keep such things. */
  readonly signed: (id: HostId) => Effect.Effect<Option.Option<SignedReports>, OperatorError>
  /** Hosts that wait to be accepted. */
  readonly waiting: Effect.Effect<ReadonlyArray<WaitingHost>, OperatorError>
  /** Hosts that were accepted and have not reported yet; none when the hub is too old to know. */
  readonly expected: Effect.Effect<ReadonlyArray<ExpectedHost>, OperatorError>
  /** Open alarms, and with `all` those that are over; nothing when the hub is too old to keep any. */
  readonly alarms: (all: boolean) => Effect.Effect<AlarmList, OperatorError>
  /** What the hub says of itself. */
  readonly health: Effect.Effect<HubHealth, OperatorError>
  /** A host's past from a moment on, by the hub's clock. */
  readonly history: (id: HostId, since: EpochMillis) => Effect.Effect<HostHistory, OperatorError>
  /** Up to `limit` events with a number above `after`, ascending. */
  readonly events: (id: HostId, after: number, limit: number) => Effect.Effect<ReadonlyArray<HostEvent>, OperatorError>
}>() {}

const make = (connection: Connection) =>
  Effect.gen(function*() {
    const { api, asked } = yield* hubConnection(connection)
    return HubReader.of({
      hosts: asked(api.hosts.list()),
      host: (id) => asked(api.hosts.get({ path: { hostId: id } })),
      signed: (id) =>
        asked(
          api.hosts.report({ path: { hostId: id } }).pipe(
            Effect.asSome,
            Effect.catchTag("HubNotFound", () => Effect.succeedNone),
            Effect.catchIf(isUnknownAddress, () => Effect.succeedNone)
          )
        ),
      waiting: asked(Effect.catchIf(api.administration.waiting(), isUnknownAddress, () => Effect.succeed([]))),
      expected: asked(Effect.catchIf(api.administration.expected(), isUnknownAddress, () => Effect.succeed([]))),
      alarms: (all) =>
        asked(
          Effect.catchIf(
            api.alarms.list({ urlParams: { all } }),
            isUnknownAddress,
            () => Effect.succeed({ alarms: [], channels: [] })
          )
        ),
      health: asked(api.health.health()),
      history: (id, since) => asked(api.hosts.history({ path: { hostId: id }, urlParams: { since } })),
      events: (id, after, limit) => asked(api.hosts.events({ path: { hostId: id }, urlParams: { after, limit } }))
    })
  })

/** Asks the pinned hub; nothing is sent to a peer that shows another certificate. */
export const layer = (connection: Connection): Layer.Layer<HubReader> =>
  Layer.effect(HubReader, make(connection)).pipe(
    Layer.provide(pinnedHttp({ peer: connection.url.host, pins: connection.pins }))
  )
