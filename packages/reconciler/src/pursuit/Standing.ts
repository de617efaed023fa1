import type { DesiredStatus } from "@felhom/domain/HostReport"
import { formatGuestRef } from "@felhom/domain/ProxmoxId"
import type { Judged, Verdict } from "../plan/Gate.ts"
import type { PlanStep } from "../plan/PlanStep.ts"
import { guestWords, stepSubject, stepWords, valueWords } from "../plan/StepWords.ts"
import type { Standing, ToldStep } from "./PursuitNews.ts"

/** What differs only in its times and amounts is the same reason. */
const sameReason = (why: string): string => why.replace(/\d[\d.:TZ-]*/g, "#")

const clipped = (text: string): string => (text.length > 80 ? `${text.slice(0, 79)}…` : text)

/** How a step is told: `CT 101 (web): change cores: 1 -> 2`. */
export const toldStep = (step: PlanStep): ToldStep => ({
  subject: stepSubject(step.guest),
  words: `${guestWords(step.guest)}: ${stepWords(step)}${valueWords(step, clipped)}`
})

/** Why the step is not done, with what an operator can do about it. */
export const held = (step: PlanStep, verdict: Exclude<Verdict, { readonly answer: "go" }>): Standing => {
  const until = verdict.answer === "wait" && verdict.until !== null
    ? `, until ${new Date(verdict.until).toISOString()}`
    : ""
  const op = step.class === "needs-signature" ? `; operators can ask for it: ${step.op}` : ""
  const why = `${verdict.reason}${until}${op}`
  return {
    ...toldStep(step),
    key: `${step.id} ${verdict.answer} ${sameReason(why)}`,
    step: step.id,
    kind: verdict.answer === "wait" ? "desired.waiting" : "desired.blocked",
    why
  }
}

/** Something else than the gate's word that holds a step up. */
export const heldUp = (step: PlanStep, why: string): Standing => ({
  ...toldStep(step),
  key: `${step.id} ${sameReason(why)}`,
  step: step.id,
  kind: "desired.waiting",
  why
})

/** More lines than this of one list are left out of a report, and counted in its last one. */
const linesAtMost = 200

type Line = DesiredStatus["drift"][number]

const bounded = (lines: ReadonlyArray<Line>): ReadonlyArray<Line> =>
  lines.length <= linesAtMost ? lines : [
    ...lines.slice(0, linesAtMost - 1),
    { subject: "host", reason: `and ${lines.length - linesAtMost + 1} more` }
  ]

/** What differs, for the report. */
export const driftLines = (judged: ReadonlyArray<Judged>): ReadonlyArray<Line> =>
  bounded(judged.map(({ step }) => ({
    subject: subjectOf(step),
    reason: `${stepWords(step)}${valueWords(step, clipped)}`
  })))

/** What of it is not done, and why. */
export const blockedLines = (all: ReadonlyArray<Standing>): ReadonlyArray<Line> =>
  bounded(all.map(({ subject, why, words }) => ({ subject: subject ?? "host", reason: `${words}: ${why}` })))

const subjectOf = ({ guest }: PlanStep): string =>
  guest.ref === null ? stepSubject(guest) ?? "host" : formatGuestRef(guest.ref)
