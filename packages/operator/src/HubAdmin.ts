import type { Alarm, NoticeTest } from "@felhom/domain/AlarmApi"
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
  /** Removes a waiting key. */
  readonly reject: (host: HostId, key: HostPublicKey) => Effect.Effect<void, OperatorError>
  /** Expects a host no more and revokes its token; or takes that back. */
  readonly retire: (host: HostId, retired: boolean) => Effect.Effect<void, OperatorError>
  /** Says that somebody looks after an alarm, for `seconds` or until it is over. */
  readonly acknowledge: (id: number, seconds: number | null, note: string) => Effect.Effect<Alarm, OperatorError>
  /** Sends a test notice through every channel that the hub has. */
  readonly testNotices: Effect.Effect<ReadonlyArray<NoticeTest>, OperatorError>
  readonly reset: (host: HostId) => Effect.Effect<void, OperatorError>
  readonly tokens: Effect.Effect<ReadonlyArray<TokenSummary>, OperatorError>
  /** Revokes the one live token whose id begins so. */
  readonly revoke: (id: string) => Effect.Effect<TokenSummary, OperatorError>
}>() {}

const make = (connection: Connection) =>
  Effect.map(hubConnection(connection), ({ api: { administration, alarms }, asked }) =>
    HubAdmin.of({
      enrol: (count, label, hours) => asked(administration.enrol({ payload: { count, label, hours } })),
      accept: (host, publicKey) => asked(administration.accept({ path: { hostId: host }, payload: { publicKey } })),
      reject: (host, publicKey) => asked(administration.reject({ path: { hostId: host }, payload: { publicKey } })),
      retire: (host, retired) => asked(administration.retire({ path: { hostId: host }, payload: { retired } })),
      acknowledge: (id, seconds, note) =>
        asked(alarms.acknowledge({ path: { alarmId: id }, payload: { seconds, note } })),
      // A mail server may take its time, and each channel has a time limit of its own.
      testNotices: asked(alarms.test(), "90 seconds"),
      reset: (host) => asked(administration.reset({ path: { hostId: host } })),
      tokens: asked(administration.tokens()),
      revoke: (id) => asked(administration.revoke({ payload: { id } }))
    }))

/** Asks the pinned hub; nothing is sent to a peer that shows another certificate. */
export const layer = (connection: Connection): Layer.Layer<HubAdmin> =>
  Layer.effect(HubAdmin, make(connection)).pipe(
    Layer.provide(pinnedHttp({ peer: connection.url.host, pins: connection.pins }))
  )
