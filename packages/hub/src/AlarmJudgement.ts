import type { Notice } from "@felhom/domain/AlarmApi"
import type { HostId } from "@felhom/domain/HostId"
import type { AlarmMember, KeptAlarm, Recent } from "./AlarmBook.ts"
import { isState } from "./AlarmTitle.ts"
import type { Concern } from "./Concern.ts"

/** One host under one cause, now. */
export interface Symptom extends Concern {
  readonly host: HostId
  readonly node: string
}

/** What the hub sees at one moment, and what it told before. */
export interface Sight {
  readonly now: number
  readonly open: ReadonlyArray<KeptAlarm>
  readonly symptoms: ReadonlyArray<Symptom>
  /** Hosts of which nothing new is known: what they had, they are taken to have still. */
  readonly unheard: ReadonlySet<string>
  readonly recent: ReadonlyArray<Recent>
  readonly nextId: number
  /** How long a cause is waited on for more hosts to come under it before it is told, in milliseconds. */
  readonly gatherMillis: number
}

/** What becomes of one alarm; `tell` is null when nobody need know now. */
export interface Verdict {
  readonly alarm: KeptAlarm
  readonly tell: { readonly kind: Notice["kind"]; readonly fresh: ReadonlySet<string> } | null
}

/** How long a host has to stay well to count as well; twice that with each time that it fell ill again, to two hours. */
const holdMillis = 300_000
const longestHold = 7_200_000

/** More hosts under a cause that was told are told again after that long at the earliest. */
const quietMillis = 300_000

/** Within that long an illness that comes back counts as a return. */
export const memoryMillis = 6 * 3_600_000

const holdOf = ({ returns }: AlarmMember): number => Math.min(longestHold, holdMillis * 2 ** Math.min(returns, 10))

/** Well again for long enough. */
const isGone = (member: AlarmMember, now: number): boolean =>
  member.clearedAt !== null && now - member.clearedAt >= holdOf(member)

const worst = (a: Concern["severity"], b: Concern["severity"]): Concern["severity"] => (a === "critical" ? a : b)

/** Several sentences about one host under one cause are one illness. */
const merged = (symptoms: ReadonlyArray<Symptom>): ReadonlyArray<Symptom> => {
  const byHost = new Map<string, Symptom>()
  for (const symptom of symptoms) {
    const before = byHost.get(symptom.host)
    byHost.set(
      symptom.host,
      before === undefined ? symptom : { ...before, severity: worst(before.severity, symptom.severity) }
    )
  }
  return Array.from(byHost.values())
}

const fallen = (symptom: Symptom, before: AlarmMember | undefined, sight: Sight, cause: string): AlarmMember => {
  const { host, node, sentence, severity } = symptom
  if (before !== undefined && !isGone(before, sight.now)) {
    const returns = before.clearedAt === null ? before.returns : before.returns + 1
    // How long a host is silent changes all the time, and is told by since.
    return {
      ...before,
      node,
      severity,
      sentence: cause === "silent" ? before.sentence : sentence,
      clearedAt: null,
      returns
    }
  }
  const earlier = before ?? sight.recent.find((recent) => recent.cause === cause && recent.host === host)
  return {
    host,
    node,
    severity,
    sentence: cause === "silent" ? "does not report" : sentence,
    since: sight.now,
    clearedAt: null,
    toldAt: null,
    acknowledged: false,
    returns: earlier === undefined ? 0 : earlier.returns + 1
  }
}

const membersNow = (
  cause: string,
  before: ReadonlyArray<AlarmMember>,
  symptoms: ReadonlyArray<Symptom>,
  sight: Sight
): ReadonlyArray<AlarmMember> => {
  const ill = new Map(symptoms.map((symptom) => [symptom.host, symptom]))
  const kept = before.map((member) => {
    const symptom = ill.get(member.host)
    ill.delete(member.host)
    if (symptom !== undefined) return fallen(symptom, member, sight, cause)
    return member.clearedAt !== null || (cause !== "silent" && sight.unheard.has(member.host))
      ? member
      : { ...member, clearedAt: sight.now }
  })
  return [...kept, ...Array.from(ill.values(), (symptom) => fallen(symptom, undefined, sight, cause))]
}

const told = (alarm: KeptAlarm, now: number): KeptAlarm => ({
  ...alarm,
  notifiedAt: now,
  members: alarm.members.map((
    member
  ) => (member.clearedAt === null ? { ...member, toldAt: member.toldAt ?? now } : member))
})

const unacknowledged = (alarm: KeptAlarm): KeptAlarm => ({
  ...alarm,
  acknowledgement: null,
  members: alarm.members.map((member) => ({ ...member, acknowledged: false }))
})

const ended = ({ acknowledgement }: KeptAlarm, now: number): boolean =>
  acknowledgement !== null && acknowledgement.until !== null && acknowledgement.until <= now

const verdict = (alarm: KeptAlarm, before: KeptAlarm | undefined, sight: Sight): Verdict => {
  const { now } = sight
  if (alarm.members.every((member) => isGone(member, now))) {
    const silently = alarm.notifiedAt === null || !isState(alarm.cause)
    return {
      alarm: { ...alarm, recoveredAt: now },
      tell: silently ? null : { kind: "recovered", fresh: new Set() }
    }
  }
  const ill = alarm.members.filter(({ clearedAt }) => clearedAt === null)
  const untold = ill.filter(({ toldAt }) => toldAt === null)
  const fresh = new Set<string>(untold.map(({ host }) => host))
  if (
    before !== undefined && before.notifiedAt !== null && before.severity === "warning" && alarm.severity === "critical"
  ) {
    return { alarm: told(unacknowledged(alarm), now), tell: { kind: "worse", fresh } }
  }
  if (ended(alarm, now)) {
    return ill.length === 0
      ? { alarm: unacknowledged(alarm), tell: null }
      : { alarm: told(unacknowledged(alarm), now), tell: { kind: "reminder", fresh } }
  }
  const waited = now - Math.min(...untold.map(({ since }) => since)) >= sight.gatherMillis
  const quiet = alarm.notifiedAt === null || now - alarm.notifiedAt >= quietMillis
  return untold.length > 0 && waited && quiet
    ? { alarm: told(alarm, now), tell: { kind: alarm.notifiedAt === null ? "raised" : "worse", fresh } }
    : { alarm, tell: null }
}

const groupByCause = (symptoms: ReadonlyArray<Symptom>): Map<string, Array<Symptom>> => {
  const byCause = new Map<string, Array<Symptom>>()
  for (const symptom of symptoms) {
    const others = byCause.get(symptom.cause)
    if (others === undefined) byCause.set(symptom.cause, [symptom])
    else others.push(symptom)
  }
  return byCause
}

/**
 * What follows for every cause from what is seen now: one alarm a cause, with all hosts under it. Alarms that stay as they were
 * come back as they were.
 */
export const judgeAlarms = (sight: Sight): ReadonlyArray<Verdict> => {
  const byCause = groupByCause(sight.symptoms)
  let { nextId } = sight
  const causes = new Set([...sight.open.map(({ cause }) => cause), ...byCause.keys()])
  return Array.from(causes, (cause) => {
    const before = sight.open.find((alarm) => alarm.cause === cause)
    const symptoms = merged(byCause.get(cause) ?? [])
    const severity = symptoms.reduce((all, symptom) => worst(all, symptom.severity), before?.severity ?? "warning")
    const members = membersNow(cause, before?.members ?? [], symptoms, sight)
    const alarm: KeptAlarm = before === undefined
      ? {
        id: nextId++,
        cause,
        severity,
        raisedAt: sight.now,
        notifiedAt: null,
        recoveredAt: null,
        acknowledgement: null,
        members
      }
      : { ...before, severity, members }
    return verdict(alarm, before, sight)
  })
}
