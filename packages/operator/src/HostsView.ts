import type { NoticeChannel } from "@felhom/domain/AlarmApi"
import type { ExpectedHost, WaitingHost } from "@felhom/domain/EnrolmentApi"
import type { HostSummary } from "@felhom/domain/HubApi"
import { humanDuration } from "@felhom/domain/HumanText"
import { type Cell, type Column, paint, renderTable, toned } from "./Table.ts"

/** How much of a host id tells hosts apart in a list; commands take any unique beginning of it. */
export const shortIdLength = 8

const presenceTones = { online: "good", late: "warning", silent: "bad" } as const

/** `online, 12 s ago` */
export const presenceText = ({ lastSeen, presence, retiredAt }: HostSummary, now: number): Cell =>
  retiredAt !== null
    ? toned("dim", `retired, ${humanDuration(now - lastSeen)} ago`)
    : toned(presenceTones[presence], `${presence}, ${humanDuration(now - lastSeen)} ago`)

const columns: ReadonlyArray<Column> = [
  { title: "HOST", atMost: 32 },
  { title: "ID" },
  { title: "STATE" },
  { title: "SEEN" },
  { title: "GUESTS", align: "right" },
  { title: "STORAGES", align: "right" },
  { title: "EVENTS", align: "right" }
]

const counts = (some: number | undefined, all: number | undefined): Cell =>
  some === undefined || all === undefined ? toned("dim", "?") : `${some}/${all}`

const events = ({ events, eventsBeforeRestore, eventsMissing }: HostSummary): Cell => {
  const asides = [
    ...(eventsMissing === 0 ? [] : [`${eventsMissing} lost`]),
    ...(eventsBeforeRestore === 0 ? [] : [`${eventsBeforeRestore} gone with the hub's restore`])
  ]
  return asides.length === 0
    ? String(events)
    : toned(eventsMissing === 0 ? "dim" : "warning", `${events} (${asides.join(", ")})`)
}

const state = ({ acknowledged, attention, retiredAt }: HostSummary): Cell =>
  attention.length > 0
    ? toned("bad", "ATTENTION")
    : retiredAt !== null
    ? toned("dim", "retired")
    : acknowledged.length > 0
    ? toned("warning", "acknowledged")
    : toned("good", "ok")

/** How a host stands to what is wished for it; a column that stands there once anything is wished for any host. */
const desiredText = ({ desired }: HostSummary): Cell => {
  if (desired === null) return toned("dim", "-")
  const { blocked, drift, latest, stale, version } = desired
  if (stale) return toned("bad", "run out")
  if (latest !== null && version !== latest) {
    return toned("warning", version === 0 ? `${latest} not taken` : `${version}, not ${latest}`)
  }
  if (drift === null) return `has ${version}`
  return drift + blocked === 0
    ? toned("good", "as wished")
    : toned("warning", [`${drift} differ`, ...(blocked === 0 ? [] : [`${blocked} blocked`])].join(", "))
}

const row = (summary: HostSummary, now: number): ReadonlyArray<Cell> => [
  toned("strong", summary.host.node),
  summary.host.id.slice(0, shortIdLength),
  state(summary),
  presenceText(summary, now),
  counts(summary.guests?.running, summary.guests?.total),
  counts(summary.storages?.active, summary.storages?.total),
  events(summary)
]

const expectedRow = (host: ExpectedHost, now: number): ReadonlyArray<Cell> => [
  toned("strong", host.node),
  host.host.slice(0, shortIdLength),
  host.attention !== null
    ? toned("bad", "ATTENTION")
    : host.acknowledged !== null
    ? toned("warning", "acknowledged")
    : toned("dim", "expected"),
  toned("dim", `never, accepted ${humanDuration(now - host.acceptedAt)} ago`),
  toned("dim", "?"),
  toned("dim", "?"),
  toned("dim", "-")
]

/** A host and why it stands here, on one line however long it is: who is sick and why is what everybody came for. */
const reason = (node: string, id: string, sentences: ReadonlyArray<string>): string =>
  `${node} (${id.slice(0, shortIdLength)}): ${sentences.join("; ")}`

const section = (title: string, tone: "bad" | "warning" | "dim", lines: ReadonlyArray<string>, colours: boolean) =>
  lines.length === 0
    ? []
    : ["", paint(toned("strong", title), colours), ...lines.map((line) => paint(toned(tone, line), colours))]

/** `has version 2 of the fleet's signers, which are at version 3`; undefined for a host that is in step, or follows no fleet. */
export const behindText = ({ signersBehind }: HostSummary): string | undefined => {
  if (signersBehind === null) return undefined
  const { continues, latest, version } = signersBehind
  const what = version === 0
    ? `took none of the fleet's signers, which are at version ${latest}`
    : `has version ${version} of the fleet's signers, which are at version ${latest}`
  return continues ? what : `${what}, and none of them continues from what it has (felhom op signers.update)`
}

/** `webhook https://alarms.example: nothing got through for 3 h: it answered 500` */
const channelLine = ({ channel, failingSince, lastError, target, waiting }: NoticeChannel, now: number): string =>
  `${channel} ${target}: nothing got through for ${humanDuration(now - (failingSince ?? now))} (${waiting} waiting): ${
    lastError ?? "?"
  }`

const failing = (channels: ReadonlyArray<NoticeChannel>): ReadonlyArray<NoticeChannel> =>
  channels.filter(({ failingSince }) => failingSince !== null)

/** All that `felhom hosts` shows. */
export interface Fleet {
  /** In the hub's order: worst first. */
  readonly hosts: ReadonlyArray<HostSummary>
  readonly expected: ReadonlyArray<ExpectedHost>
  readonly waiting: ReadonlyArray<WaitingHost>
  readonly channels: ReadonlyArray<NoticeChannel>
}

const namesakeLine = ({ host, namesakes, node }: WaitingHost, now: number): ReadonlyArray<string> =>
  namesakes.map((other) =>
    reason(node, host, [
      `waits, and a host of this name reports already as ${other.host.slice(0, shortIdLength)}, last ${
        humanDuration(now - other.lastSeen)
      } ago. If that machine was installed anew: felhom accept the new one by its code, then felhom retire ${
        other.host.slice(0, shortIdLength)
      }. If not, it is another machine of the same name`
    ])
  )

/** The tables and sentences of `felhom hosts`. `now` in milliseconds since the epoch. */
export const renderHosts = (
  { channels, expected, hosts, waiting }: Fleet,
  now: number,
  colours: boolean
): ReadonlyArray<string> => [
  ...(hosts.length + expected.length === 0
    ? ["no host has ever reported to this hub"]
    : hosts.every(({ desired }) => desired === null)
    ? renderTable(
      columns,
      [...hosts.map((host) => row(host, now)), ...expected.map((host) => expectedRow(host, now))],
      colours
    )
    : renderTable(
      [...columns, { title: "DESIRED" }],
      [
        ...hosts.map((host) => [...row(host, now), desiredText(host)]),
        ...expected.map((host) => [...expectedRow(host, now), toned("dim", "-")])
      ],
      colours
    )),
  ...section(
    "Needs attention",
    "bad",
    [
      ...hosts.flatMap(({ attention, host }) => attention.length === 0 ? [] : [reason(host.node, host.id, attention)]),
      ...expected.flatMap(({ attention, host, node }) => (attention === null ? [] : [reason(node, host, [attention])]))
    ],
    colours
  ),
  ...section(
    "Acknowledged",
    "warning",
    [
      ...hosts.flatMap(({ acknowledged, host }) =>
        acknowledged.length === 0 ? [] : [reason(host.node, host.id, acknowledged)]
      ),
      ...expected.flatMap(({ acknowledged, host, node }) =>
        acknowledged === null ? [] : [reason(node, host, [`has not reported yet (${acknowledged})`])]
      )
    ],
    colours
  ),
  ...section(
    "Behind with the signers",
    "warning",
    hosts.flatMap((summary) => {
      const text = summary.retiredAt === null ? behindText(summary) : undefined
      return text === undefined ? [] : [reason(summary.host.node, summary.host.id, [text])]
    }),
    colours
  ),
  ...section("Waiting, with a known name", "warning", waiting.flatMap((host) => namesakeLine(host, now)), colours),
  ...section("Notices do not get through", "bad", failing(channels).map((each) => channelLine(each, now)), colours)
]

/** `2 of 5 hosts need attention`; undefined when none does. */
export const attentionSentence = (
  hosts: ReadonlyArray<HostSummary>,
  expected: ReadonlyArray<ExpectedHost> = []
): string | undefined => {
  const needy = hosts.filter(({ attention }) => attention.length > 0).length +
    expected.filter(({ attention }) => attention !== null).length
  const all = hosts.length + expected.length
  return needy === 0
    ? undefined
    : `${needy} of ${all} ${all === 1 ? "host" : "hosts"} ${needy === 1 ? "needs" : "need"} attention`
}

/** `2 hosts wait to be accepted: attic, cellar (felhom waiting)`; undefined when none does. */
export const waitingSentence = (nodes: ReadonlyArray<string>): string | undefined =>
  nodes.length === 0
    ? undefined
    : `${nodes.length} ${nodes.length === 1 ? "host waits" : "hosts wait"} to be accepted: ${
      nodes.join(", ")
    } (felhom waiting)`

/** `notices do not get through (webhook)`; undefined while they do. */
export const channelSentence = (channels: ReadonlyArray<NoticeChannel>): string | undefined => {
  const broken = failing(channels)
  return broken.length === 0
    ? undefined
    : `notices do not get through (${broken.map(({ channel }) => channel).join(", ")}): felhom notify test`
}
