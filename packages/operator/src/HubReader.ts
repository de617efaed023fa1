import type { WaitingHost } from "@felhom/domain/EnrolmentApi"
import type { HostEvent } from "@felhom/domain/HostEvent"
import type { HostId } from "@felhom/domain/HostId"
import type { HostDetail, HostSummary, SignedReports } from "@felhom/domain/HubApi"
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
      events: (id, after, limit) => asked(api.hosts.events({ path: { hostId: id }, urlParams: { after, limit } }))
    })
  })

/** Asks the pinned hub; nothing is sent to a peer that shows another certificate. */
export const layer = (connection: Connection): Layer.Layer<HubReader> =>
  Layer.effect(HubReader, make(connection)).pipe(
    Layer.provide(pinnedHttp({ peer: connection.url.host, pins: connection.pins }))
  )
