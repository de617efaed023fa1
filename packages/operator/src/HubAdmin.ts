import type { EnrolmentToken, TokenSummary } from "@felhom/domain/EnrolmentApi"
import type { HostId } from "@felhom/domain/HostId"
import type { HostPublicKey } from "@felhom/domain/HostKey"
import { layer as pinnedHttp } from "@felhom/node/PinnedHttp"
import { Context, Effect, Layer } from "effect"
import type { Connection } from "./Connection.ts"
import { hubConnection } from "./HubConnection.ts"
import type { OperatorError } from "./OperatorError.ts"

/** What an admin has the hub do. Every failure is one sentence. */
export class HubAdmin extends Context.Tag("felhom/operator/HubAdmin")<HubAdmin, {
  /** One-time enrolment tokens, good for `hours`. */
  readonly enrol: (
    count: number,
    label: string,
    hours: number
  ) => Effect.Effect<ReadonlyArray<EnrolmentToken>, OperatorError>
  readonly accept: (host: HostId, key: HostPublicKey) => Effect.Effect<void, OperatorError>
  readonly reset: (host: HostId) => Effect.Effect<void, OperatorError>
  readonly tokens: Effect.Effect<ReadonlyArray<TokenSummary>, OperatorError>
  /** Revokes the one live token whose id begins so. */
  readonly revoke: (id: string) => Effect.Effect<TokenSummary, OperatorError>
}>() {}

const make = (connection: Connection) =>
  Effect.map(hubConnection(connection), ({ api: { administration }, asked }) =>
    HubAdmin.of({
      enrol: (count, label, hours) => asked(administration.enrol({ payload: { count, label, hours } })),
      accept: (host, publicKey) => asked(administration.accept({ path: { hostId: host }, payload: { publicKey } })),
      reset: (host) => asked(administration.reset({ path: { hostId: host } })),
      tokens: asked(administration.tokens()),
      revoke: (id) => asked(administration.revoke({ payload: { id } }))
    }))

/** Asks the pinned hub; nothing is sent to a peer that shows another certificate. */
export const layer = (connection: Connection): Layer.Layer<HubAdmin> =>
  Layer.effect(HubAdmin, make(connection)).pipe(
    Layer.provide(pinnedHttp({ peer: connection.url.host, pins: connection.pins }))
  )
