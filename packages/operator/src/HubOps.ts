import type { SignedBytes } from "@felhom/domain/Envelope"
import type { HostId } from "@felhom/domain/HostId"
import type { OpDetail, OpSummary } from "@felhom/domain/OpsApi"
import type { Sha256Hex } from "@felhom/domain/Sha256"
import { layer as pinnedHttp } from "@felhom/node/PinnedHttp"
import { Context, Effect, Layer } from "effect"
import type { Connection } from "./Connection.ts"
import { hubConnection } from "./HubConnection.ts"
import type { OperatorError } from "./OperatorError.ts"

/** Signed ops at the hub, which only carries them. Every failure is one sentence. */
export class HubOps extends Context.Tag("felhom/operator/HubOps")<HubOps, {
  /** Queues an op, or adds signatures to one with the same bytes; the host is given it once `needs` signatures are there. */
  readonly submit: (host: HostId, signed: SignedBytes, needs: number) => Effect.Effect<OpSummary, OperatorError>
  /** Newest first. */
  readonly ofHost: (host: HostId) => Effect.Effect<ReadonlyArray<OpSummary>, OperatorError>
  readonly one: (host: HostId, op: Sha256Hex) => Effect.Effect<OpDetail, OperatorError>
  /** Of all hosts, newest first. */
  readonly all: Effect.Effect<ReadonlyArray<OpSummary>, OperatorError>
}>() {}

const make = (connection: Connection) =>
  Effect.map(hubConnection(connection), ({ api: { ops }, asked }) =>
    HubOps.of({
      submit: (host, { payload, signatures }, needs) =>
        asked(ops.submit({ path: { hostId: host }, payload: { payload, signatures, needs } })),
      ofHost: (host) => asked(ops.ofHost({ path: { hostId: host } })),
      one: (host, op) => asked(ops.one({ path: { hostId: host, op } })),
      all: asked(ops.list({ urlParams: {} }))
    }))

/** Asks the pinned hub; nothing is sent to a peer that shows another certificate. */
export const layer = (connection: Connection): Layer.Layer<HubOps> =>
  Layer.effect(HubOps, make(connection)).pipe(
    Layer.provide(pinnedHttp({ peer: connection.url.host, pins: connection.pins }))
  )
