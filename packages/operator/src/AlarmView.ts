import type { Alarm, AlarmList, NoticeChannel, NoticeTest } from "@felhom/domain/AlarmApi"
import { humanDuration } from "@felhom/domain/HumanText"
import { type Cell, type Column, paint, renderTable, toned } from "./Table.ts"

const columns: ReadonlyArray<Column> = [
  { title: "ALARM", align: "right" },
  { title: "SEVERITY" },
  { title: "SINCE" },
  { title: "STATE" },
  { title: "TOLD" },
  { title: "CAUSE", atMost: 120 }
]

const severityTones = { critical: "bad", warning: "warning" } as const

const ago = (at: number | null, now: number): Cell => at === null ? toned("dim", "-") : `${humanDuration(now - at)} ago`

const state = ({ acknowledged, hosts, recoveredAt }: Alarm): Cell => {
  if (recoveredAt !== null) return toned("dim", "over")
  if (hosts.every(({ clearedAt }) => clearedAt !== null)) return toned("good", "well for now")
  if (acknowledged === null) return toned("bad", "open")
  const uncovered = hosts.filter((host) => !host.acknowledged && host.clearedAt === null).length
  return uncovered === 0 ? toned("warning", "acknowledged") : toned("bad", `open (${uncovered} more since)`)
}

const acknowledgement = ({ acknowledged }: Alarm, now: number): ReadonlyArray<string> => {
  if (acknowledged === null) return []
  const { by, note, until } = acknowledged
  const end = until === null ? "until it is over" : `for ${humanDuration(until - now)} more`
  return [`  acknowledged by ${by} ${end}${note === "" ? "" : `: ${note}`}`]
}

const hostLines = ({ hosts, id }: Alarm, now: number): ReadonlyArray<string> => [
  `Alarm ${id}`,
  ...hosts.map(({ clearedAt, host, node, sentence, since }) =>
    `  ${node} (${host.slice(0, 8)}) ${
      clearedAt === null ? `for ${humanDuration(now - since)}` : `well again for ${humanDuration(now - clearedAt)}`
    }: ${sentence}`
  )
]

const details = (alarm: Alarm, now: number): ReadonlyArray<string> =>
  alarm.recoveredAt === null ? ["", ...hostLines(alarm, now), ...acknowledgement(alarm, now)] : []

const channelColumns: ReadonlyArray<Column> = [
  { title: "CHANNEL" },
  { title: "TO", atMost: 60 },
  { title: "DELIVERED" },
  { title: "WAITING", align: "right" },
  { title: "STATE", atMost: 200 }
]

const channelRow = (channel: NoticeChannel, now: number): ReadonlyArray<Cell> => [
  channel.channel,
  channel.target,
  ago(channel.deliveredAt, now),
  String(channel.waiting),
  channel.failingSince === null
    ? toned("good", "ok")
    : toned("bad", `fails for ${humanDuration(now - channel.failingSince)}: ${channel.lastError ?? "?"}`)
]

/** What `felhom alarms` shows. `now` in milliseconds since the epoch. */
export const renderAlarms = ({ alarms, channels }: AlarmList, now: number, colours: boolean): ReadonlyArray<string> => [
  ...(alarms.length === 0 ? ["no alarm is open"] : renderTable(
    columns,
    alarms.map((alarm): ReadonlyArray<Cell> => [
      String(alarm.id),
      toned(severityTones[alarm.severity], alarm.severity),
      ago(alarm.raisedAt, now),
      state(alarm),
      ago(alarm.notifiedAt, now),
      alarm.title
    ]),
    colours
  )),
  ...alarms.flatMap((alarm) => details(alarm, now)).map((line) => paint(line, colours)),
  "",
  ...(channels.length === 0
    ? ["nobody is told of alarms: no channel is set up at the hub (--notify-webhook, --notify-mail)"]
    : renderTable(channelColumns, channels.map((channel) => channelRow(channel, now)), colours))
]

/** What `felhom notify test` shows. */
export const renderNoticeTests = (results: ReadonlyArray<NoticeTest>, colours: boolean): ReadonlyArray<string> =>
  results.length === 0
    ? ["no channel is set up at the hub: see hub serve --help, --notify-webhook and --notify-mail"]
    : renderTable(
      [{ title: "CHANNEL" }, { title: "TO", atMost: 60 }, { title: "RESULT", atMost: 400 }],
      results.map(({ channel, error, target }): ReadonlyArray<Cell> => [
        channel,
        target,
        error === null ? toned("good", "taken") : toned("bad", error)
      ]),
      colours
    )
