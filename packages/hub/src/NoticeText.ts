import { type Notice, noticeType } from "@felhom/domain/AlarmApi"
import { displayText, displayTextWithin } from "@felhom/domain/DisplayText"
import { humanDuration } from "@felhom/domain/HumanText"
import { EpochMillis } from "@felhom/domain/Time"
import type { KeptAlarm } from "./AlarmBook.ts"
import type { Verdict } from "./AlarmJudgement.ts"
import { titleOf } from "./AlarmTitle.ts"

/** At most so many hosts are named in one notice. */
const hostsNamed = 50

const sentenceLength = 300

const words = {
  raised: "",
  worse: "Worse: ",
  reminder: "Still: ",
  recovered: "Over: ",
  test: ""
} as const

const minute = (at: number): string => `${new Date(at).toISOString().slice(0, 16).replace("T", " ")} UTC`

type NoticeHost = NonNullable<Notice["alarm"]>["hosts"][number]

const hostLine = (host: NoticeHost, kind: Notice["kind"]): string =>
  `${host.new && kind === "worse" ? "new: " : ""}${displayText(host.node)} (${host.id.slice(0, 8)}) since ${
    minute(host.since)
  }: ${displayText(host.sentence)}`

/** What to do about an alarm, in one line. */
const advice = (alarm: KeptAlarm, kind: Notice["kind"]): string =>
  kind === "recovered"
    ? "Nothing is to be done."
    : `See felhom hosts. Once somebody looks after it: felhom ack ${alarm.id}`

/** Who the hub is, for people who have more than one. */
export interface NoticeSender {
  readonly name: string
  readonly version: string
  readonly storeEpoch: string
}

/** The notice of one verdict. `fleet` is how many hosts the hub expects to hear. */
export const noticeOf = (
  { alarm, tell: { fresh, kind } }: { readonly alarm: KeptAlarm; readonly tell: NonNullable<Verdict["tell"]> },
  id: string,
  sender: NoticeSender,
  fleet: number,
  now: number
): Notice => {
  const members = kind === "recovered" ? alarm.members : alarm.members.filter(({ clearedAt }) => clearedAt === null)
  const hosts = members
    .map(({ host, node, sentence, since }): NoticeHost => ({
      id: host,
      node: displayTextWithin(node, 64),
      sentence: displayTextWithin(sentence, sentenceLength),
      since: EpochMillis.make(since),
      new: fresh.has(host)
    }))
    .toSorted((a, b) => Number(b.new) - Number(a.new))
    .slice(0, hostsNamed)
  const title = `${words[kind]}${titleOf(alarm.cause, members, fleet)}`
  const unnamed = members.length - hosts.length
  return {
    typ: noticeType,
    id,
    kind,
    at: EpochMillis.make(now),
    hub: sender,
    title,
    text: [
      `${title}.`,
      "",
      ...hosts.map((host) => hostLine(host, kind)),
      ...(unnamed === 0 ? [] : [`and ${unnamed} more`]),
      "",
      ...(kind === "recovered" ? [`It lasted ${humanDuration(now - alarm.raisedAt)}.`] : []),
      ...(kind === "reminder" ? ["Its acknowledgement has ended, and it lasts."] : []),
      advice(alarm, kind),
      `Hub ${sender.name}, alarm ${alarm.id} (${displayText(alarm.cause)}), ${alarm.severity}`
    ].join("\n"),
    alarm: {
      id: alarm.id,
      cause: displayText(alarm.cause),
      severity: alarm.severity,
      raisedAt: EpochMillis.make(alarm.raisedAt),
      recoveredAt: alarm.recoveredAt === null ? null : EpochMillis.make(alarm.recoveredAt),
      hostCount: members.length,
      hosts
    }
  }
}

/** A notice by which a person sees that a channel works. */
export const testNotice = (id: string, sender: NoticeSender, by: string, now: number): Notice => ({
  typ: noticeType,
  id,
  kind: "test",
  at: EpochMillis.make(now),
  hub: sender,
  title: "A test: notices of this hub arrive here",
  text: `A test: notices of hub ${sender.name} arrive here. ${
    displayTextWithin(by, 128)
  } asked for it (felhom notify test).`,
  alarm: null
})
