import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "@effect/platform"
import { Schema } from "effect"
import { HostId } from "./HostId.ts"
import { OperatorAuthorization } from "./HubPrincipal.ts"
import { HubConflict, HubNotFound, HubUnavailable } from "./HubRefusal.ts"
import { EpochMillis } from "./Time.ts"

/** `critical`: something does not work or is not safe; `warning`: it will not stay well by itself. */
export const AlarmSeverity = Schema.Literal("warning", "critical")
export type AlarmSeverity = typeof AlarmSeverity.Type

/** One host under an alarm's cause. */
export const AlarmHost = Schema.Struct({
  host: HostId,
  node: Schema.String,
  sentence: Schema.String,
  since: EpochMillis,
  /** Well again since then, for too short a time to count; null while it is not. */
  clearedAt: Schema.NullOr(EpochMillis),
  /** Whether the alarm's acknowledgement covers this host: one that joined later is not covered. */
  acknowledged: Schema.Boolean
})
export type AlarmHost = typeof AlarmHost.Type

export const AlarmAcknowledgement = Schema.Struct({
  by: Schema.String,
  at: EpochMillis,
  /** Null: until the alarm is over. */
  until: Schema.NullOr(EpochMillis),
  note: Schema.String
})
export type AlarmAcknowledgement = typeof AlarmAcknowledgement.Type

/**
 * One cause that calls for a person, with all hosts under it. There is at most one open alarm for a cause. All times are by the
 * hub's clock.
 */
export const Alarm = Schema.Struct({
  id: Schema.Int,
  /** For programs, such as `silent`, `proxmox` or `storage.offline nas`. */
  cause: Schema.String,
  /** For people. */
  title: Schema.String,
  severity: AlarmSeverity,
  raisedAt: EpochMillis,
  /** When a notice last told of it; null when none did yet. */
  notifiedAt: Schema.NullOr(EpochMillis),
  /** Null while it is open. */
  recoveredAt: Schema.NullOr(EpochMillis),
  acknowledged: Schema.NullOr(AlarmAcknowledgement),
  hosts: Schema.Array(AlarmHost)
})
export type Alarm = typeof Alarm.Type

/** One way to reach people, and whether it works. */
export const NoticeChannel = Schema.Struct({
  channel: Schema.Literal("webhook", "mail"),
  /** Where it leads, without what is secret in it. */
  target: Schema.String,
  deliveredAt: Schema.NullOr(EpochMillis),
  /** Since when nothing got through; null when the last try did, or none was made. */
  failingSince: Schema.NullOr(EpochMillis),
  lastError: Schema.NullOr(Schema.String),
  /** Notices that are not delivered yet. */
  waiting: Schema.Int
})
export type NoticeChannel = typeof NoticeChannel.Type

export const AlarmList = Schema.Struct({
  alarms: Schema.Array(Alarm),
  channels: Schema.Array(NoticeChannel)
})
export type AlarmList = typeof AlarmList.Type

/** What became of a test notice on one channel; `error` is null when it was delivered. */
export const NoticeTest = Schema.Struct({
  channel: Schema.Literal("webhook", "mail"),
  target: Schema.String,
  error: Schema.NullOr(Schema.String)
})
export type NoticeTest = typeof NoticeTest.Type

export const noticeType = "felhom/notice/v1"

/**
 * What a webhook is sent, as JSON, and what a mail says in words. A notice that had to be sent again has the same `id`.
 *
 * `raised` is a new cause, `worse` one that more hosts came under or that got more severe, `reminder` one whose acknowledgement
 * ended while it lasts, and `recovered` one that is over. At most fifty hosts are named; `hostCount` is how many there are.
 */
export const Notice = Schema.Struct({
  typ: Schema.Literal(noticeType),
  id: Schema.String,
  kind: Schema.Literal("raised", "worse", "reminder", "recovered", "test"),
  at: EpochMillis,
  hub: Schema.Struct({ name: Schema.String, version: Schema.String, storeEpoch: Schema.String }),
  /** One line. */
  title: Schema.String,
  /** Plain text, several lines. */
  text: Schema.String,
  /** Null in a test. */
  alarm: Schema.NullOr(Schema.Struct({
    id: Schema.Int,
    cause: Schema.String,
    severity: AlarmSeverity,
    raisedAt: EpochMillis,
    recoveredAt: Schema.NullOr(EpochMillis),
    hostCount: Schema.Int,
    hosts: Schema.Array(Schema.Struct({
      id: HostId,
      node: Schema.String,
      sentence: Schema.String,
      since: EpochMillis,
      /** Whether this notice is the first that names it. */
      new: Schema.Boolean
    }))
  }))
})
export type Notice = typeof Notice.Type

const flag = Schema.optionalWith(Schema.BooleanFromString, { default: () => false })

/** Alarms and the notices that tell of them. */
export const AlarmGroup = HttpApiGroup.make("alarms")
  .add(
    HttpApiEndpoint.get("list", "/alarms")
      .setUrlParams(Schema.Struct({ all: flag }))
      .addSuccess(AlarmList)
      .addError(HubUnavailable)
      .annotate(OpenApi.Summary, "Open alarms, worst first, and the channels; with all=true those that are over, too")
  )
  .add(
    HttpApiEndpoint.post("acknowledge", "/alarms/:alarmId/acknowledge")
      .setPath(Schema.Struct({ alarmId: Schema.NumberFromString.pipe(Schema.int(), Schema.positive()) }))
      .setPayload(Schema.Struct({
        seconds: Schema.NullOr(Schema.Int.pipe(Schema.between(60, 365 * 86_400))),
        note: Schema.String.pipe(Schema.maxLength(500))
      }))
      .addSuccess(Alarm)
      .addError(HubNotFound)
      .addError(HubConflict)
      .addError(HubUnavailable)
      .annotate(
        OpenApi.Summary,
        "Say that somebody looks after it: it is not told again until it gets worse (operator)"
      )
  )
  .add(
    HttpApiEndpoint.post("test", "/notices/test")
      .addSuccess(Schema.Array(NoticeTest))
      .addError(HubUnavailable)
      .annotate(OpenApi.Summary, "Send a test notice through every channel, and say what became of it (admin)")
  )
  .middleware(OperatorAuthorization)
