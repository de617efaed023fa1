import type { DesiredDetail, DesiredEntry, DesiredSubmission } from "@felhom/domain/DesiredApi"
import { decodeDesired } from "@felhom/domain/DesiredDocument"
import type { HostId } from "@felhom/domain/HostId"
import { Crypto } from "@felhom/domain/port/Crypto"
import { decodeCanonicalBase64 } from "@felhom/domain/Sshsig"
import { layer as nodeCrypto } from "@felhom/node/NodeCrypto"
import { layer as pinnedHttp } from "@felhom/node/PinnedHttp"
import { Context, Effect, Either, Layer } from "effect"
import type { Connection } from "./Connection.ts"
import { hubConnection, isUnknownAddress } from "./HubConnection.ts"
import { OperatorError } from "./OperatorError.ts"

/** What hosts are wished to be, at the hub, which publishes it. Every failure is one sentence. */
export class HubDesired extends Context.Tag("felhom/operator/HubDesired")<HubDesired, {
  readonly apply: (host: HostId, submission: DesiredSubmission) => Effect.Effect<DesiredDetail, OperatorError>
  /** Null where nothing was ever applied, or the hub is too old to know. What it shows is what it gives the host. */
  readonly present: (host: HostId) => Effect.Effect<DesiredDetail | null, OperatorError>
  /** Newest first. */
  readonly log: (host: HostId) => Effect.Effect<ReadonlyArray<DesiredEntry>, OperatorError>
}>() {}

/**
 * Whether what a hub shows is what it gives the host: the state stands in the document, and the document has the hash by which a host
 * says what it holds. A hub could show the one, and have given the other.
 */
export const honest = (host: HostId, detail: DesiredDetail): Effect.Effect<DesiredDetail, OperatorError, Crypto> =>
  Effect.gen(function*() {
    const crypto = yield* Crypto
    const { document, published: { sha256, version }, state } = detail
    const bytes = yield* decodeCanonicalBase64(document)
    const given = yield* Either.mapLeft(decodeDesired(bytes), ({ message }) => message)
    if ((yield* crypto.sha256(bytes)) !== sha256) return yield* Effect.fail("its bytes have another hash")
    if (given.host !== host || given.version !== version) return yield* Effect.fail("it is another document")
    if (JSON.stringify(given.state) !== JSON.stringify(state)) return yield* Effect.fail("it says something else")
    return detail
  }).pipe(
    Effect.mapError((why) =>
      new OperatorError({
        reason: "distrust",
        detail:
          `what the hub shows as wished for host ${host} is not what it gives the host: ${why}. Ask who runs the hub`
      })
    )
  )

const make = (connection: Connection) =>
  Effect.gen(function*() {
    const { api: { desired }, asked } = yield* hubConnection(connection)
    const crypto = yield* Crypto
    return HubDesired.of({
      apply: (host, submission) => asked(desired.apply({ path: { hostId: host }, payload: submission })),
      present: (host) =>
        asked(
          Effect.catchIf(desired.present({ path: { hostId: host } }), isUnknownAddress, () => Effect.succeed(null))
        ).pipe(
          Effect.flatMap((detail) => detail === null ? Effect.succeed(null) : honest(host, detail)),
          Effect.provideService(Crypto, crypto)
        ),
      log: (host) => asked(desired.log({ path: { hostId: host } }))
    })
  })

/** Asks the pinned hub; nothing is sent to a peer that shows another certificate. */
export const layer = (connection: Connection): Layer.Layer<HubDesired> =>
  Layer.effect(HubDesired, make(connection)).pipe(
    Layer.provide([pinnedHttp({ peer: connection.url.host, pins: connection.pins }), nodeCrypto])
  )
