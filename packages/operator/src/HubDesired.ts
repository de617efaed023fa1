import type { DesiredDetail, DesiredEntry, DesiredSubmission } from "@felhom/domain/DesiredApi"
import type { HostId } from "@felhom/domain/HostId"
import { layer as pinnedHttp } from "@felhom/node/PinnedHttp"
import { Context, Effect, Layer } from "effect"
import type { Connection } from "./Connection.ts"
import { hubConnection, isUnknownAddress } from "./HubConnection.ts"
import type { OperatorError } from "./OperatorError.ts"

/** What hosts are wished to be, at the hub, which publishes it. Every failure is one sentence. */
export class HubDesired extends Context.Tag("felhom/operator/HubDesired")<HubDesired, {
  readonly apply: (host: HostId, submission: DesiredSubmission) => Effect.Effect<DesiredDetail, OperatorError>
  /** Null where nothing was ever applied, or the hub is too old to know. */
  readonly present: (host: HostId) => Effect.Effect<DesiredDetail | null, OperatorError>
  /** Newest first. */
  readonly log: (host: HostId) => Effect.Effect<ReadonlyArray<DesiredEntry>, OperatorError>
}>() {}

const make = (connection: Connection) =>
  Effect.map(hubConnection(connection), ({ api: { desired }, asked }) =>
    HubDesired.of({
      apply: (host, submission) => asked(desired.apply({ path: { hostId: host }, payload: submission })),
      present: (host) =>
        asked(
          Effect.catchIf(desired.present({ path: { hostId: host } }), isUnknownAddress, () => Effect.succeed(null))
        ),
      log: (host) => asked(desired.log({ path: { hostId: host } }))
    }))

/** Asks the pinned hub; nothing is sent to a peer that shows another certificate. */
export const layer = (connection: Connection): Layer.Layer<HubDesired> =>
  Layer.effect(HubDesired, make(connection)).pipe(
    Layer.provide(pinnedHttp({ peer: connection.url.host, pins: connection.pins }))
  )
