import type { SignersDetail, SignersEntry } from "@felhom/domain/SignersApi"
import type { FleetId } from "@felhom/domain/SignersDocument"
import { layer as pinnedHttp } from "@felhom/node/PinnedHttp"
import { Context, Effect, Layer } from "effect"
import type { Connection } from "./Connection.ts"
import { hubConnection } from "./HubConnection.ts"
import type { OperatorError } from "./OperatorError.ts"

/** The bytes of a version as they were signed. */
export interface SignedList {
  readonly payload: string
  readonly signatures: ReadonlyArray<string>
}

/** Fleets' signers at the hub, which only carries them. Every failure is one sentence. */
export class HubSigners extends Context.Tag("felhom/operator/HubSigners")<HubSigners, {
  /** Brings a version, or signatures for one; hosts are given it once `needs` signatures are there. */
  readonly submit: (signed: SignedList, needs: number) => Effect.Effect<SignersEntry, OperatorError>
  /** Oldest first. */
  readonly list: Effect.Effect<ReadonlyArray<SignersEntry>, OperatorError>
  readonly one: (fleet: FleetId, version: number) => Effect.Effect<SignersDetail, OperatorError>
  readonly withdraw: (fleet: FleetId, version: number) => Effect.Effect<SignersEntry, OperatorError>
}>() {}

const make = (connection: Connection) =>
  Effect.map(hubConnection(connection), ({ api: { signers }, asked }) =>
    HubSigners.of({
      submit: ({ payload, signatures }, needs) => asked(signers.submit({ payload: { payload, signatures, needs } })),
      list: asked(signers.list()),
      one: (fleet, version) => asked(signers.one({ path: { fleet, version } })),
      withdraw: (fleet, version) => asked(signers.withdraw({ path: { fleet, version } }))
    }))

/** Asks the pinned hub; nothing is sent to a peer that shows another certificate. */
export const layer = (connection: Connection): Layer.Layer<HubSigners> =>
  Layer.effect(HubSigners, make(connection)).pipe(
    Layer.provide(pinnedHttp({ peer: connection.url.host, pins: connection.pins }))
  )
