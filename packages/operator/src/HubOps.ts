import type { SignedBytes } from "@felhom/domain/Envelope"
import type { HostId } from "@felhom/domain/HostId"
import type { OpDetail, OpSummary } from "@felhom/domain/OpsApi"
import type { Sha256Hex } from "@felhom/domain/Sha256"
import { layer as pinnedHttp } from "@felhom/node/PinnedHttp"
import { Context, Effect, Layer, type Option } from "effect"
import type { Connection } from "./Connection.ts"
import { hubConnection, isUnknownAddress } from "./HubConnection.ts"
import type { OperatorError } from "./OperatorError.ts"

/** Signed ops at the hub, which only carries them. Every failure is one sentence. */
export class HubOps extends Context.Tag("felhom/operator/HubOps")<HubOps, {
  /** Queues an op, or adds signatures to one with the same bytes; the host is given it once `needs` signatures are there. */
  readonly submit: (host: HostId, signed: SignedBytes, needs: number) => Effect.Effect<OpSummary, OperatorError>
  /** Newest first. */
  readonly ofHost: (host: HostId) => Effect.Effect<ReadonlyArray<OpSummary>, OperatorError>
  readonly one: (host: HostId, op: Sha256Hex) => Effect.Effect<OpDetail, OperatorError>
  /** The report in which the host said how far the op has come; none when the hub has none, or is too old to keep such things. */
  readonly report: (host: HostId, op: Sha256Hex) => Effect.Effect<Option.Option<SignedBytes>, OperatorError>
  /** Of all hosts, newest first. */
  readonly all: Effect.Effect<ReadonlyArray<OpSummary>, OperatorError>
}>() {}

const make = (connection: Connection) =>
  Effect.map(hubConnection(connection), ({ api: { ops }, asked }) =>
    HubOps.of({
      submit: (host, signed, needs) => asked(ops.submit({ path: { hostId: host }, payload: { ...signed, needs } })),
      ofHost: (host) => asked(ops.ofHost({ path: { hostId: host } })),
      one: (host, op) => asked(ops.one({ path: { hostId: host, op } })),
      report: (host, op) =>
        asked(
          ops.report({ path: { hostId: host, op } }).pipe(
            Effect.asSome,
            Effect.catchTag("HubNotFound", () => Effect.succeedNone),
            Effect.catchIf(isUnknownAddress, () => Effect.succeedNone)
          )
        ),
      all: asked(ops.list({ urlParams: {} }))
    }))

/** Asks the pinned hub; nothing is sent to a peer that shows another certificate. */
export const layer = (connection: Connection): Layer.Layer<HubOps> =>
  Layer.effect(HubOps, make(connection)).pipe(
    Layer.provide(pinnedHttp({ peer: connection.url.host, pins: connection.pins }))
  )
