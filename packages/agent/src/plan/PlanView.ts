import { displayTextWithin } from "@felhom/domain/DisplayText"
import type { Judged, Verdict } from "@felhom/reconciler/plan/Gate"
import type { PlanNote, PlanStep, StepGuest } from "@felhom/reconciler/plan/PlanStep"
import { guestWords, stepWords, valueWords } from "@felhom/reconciler/plan/StepWords"

/** What `felhom-agent plan` shows. */
export interface PlanView {
  readonly node: string
  readonly desired: { readonly epoch: string; readonly version: number; readonly expires: number } | null
  readonly now: number
  readonly judged: ReadonlyArray<Judged>
  readonly notes: ReadonlyArray<PlanNote>
}

const time = (at: number): string => new Date(at).toISOString()
const shown = (text: string): string => displayTextWithin(text, 200)

const whom = (guest: StepGuest): string => shown(guestWords(guest))

const values = (step: PlanStep): string => valueWords(step, (text) => displayTextWithin(text, 60))

const answers: { readonly [answer in Verdict["answer"]]: string } = {
  go: "go",
  wait: "wait",
  "needs-signature": "sign",
  never: "no"
}

const because = (step: PlanStep, verdict: Verdict): ReadonlyArray<string> => [
  verdict.answer === "wait" && verdict.until !== null
    ? `until ${time(verdict.until)}: ${shown(verdict.reason)}`
    : shown(verdict.reason),
  ...(step.class === "benign" && step.effect === "next-start" ? ["it holds from the guest's next start on"] : []),
  ...(step.class === "needs-signature" ? [step.op] : []),
  ...(step.class === "benign" && step.op !== null ? [`if it does not shut down: ${step.op}`] : [])
]

const stepLines = ({ step, verdict }: Judged, index: number): ReadonlyArray<string> => [
  `${String(index + 1).padStart(3)}  ${answers[verdict.answer].padEnd(4)}  ${whom(step.guest)}: ${stepWords(step)}${
    values(step)
  }`,
  ...because(step, verdict).map((line) => `           ${line}`)
]

const headline = ({ desired, now }: PlanView): string => {
  if (desired === null) return ""
  const { epoch, expires, version } = desired
  if (version === 0) return `the hub's new store ${epoch} was accepted, and no desired state of it has come yet`
  return now < expires
    ? `desired state version ${version} of the hub's store ${epoch}, good until ${time(expires)}`
    : `desired state version ${version} of the hub's store ${epoch}, over since ${
      time(expires)
    }: nothing is begun for it`
}

const nothingHeld =
  "this host has taken no desired state yet, so there is nothing to plan: publish one for it on its hub, and see to it that " +
  "felhom-agent runs, as it takes it with the answer to its next report"

/** For people. Nothing in it was done. */
export const planText = (view: PlanView): string => {
  if (view.desired === null) return nothingHeld
  const steps = view.judged.flatMap(stepLines)
  return [
    headline(view),
    ...(steps.length === 0 ? [`${view.node} is as it should be: there is nothing to do`] : steps),
    ...view.notes.map(({ guest, text }) => `note       ${whom(guest)}: ${shown(text)}`),
    "shown only: nothing was changed"
  ].join("\n")
}

/** For programs. Texts are as they came: show them through something that makes them safe for a terminal. */
export const planJson = ({ desired, judged, node, notes, now }: PlanView): string =>
  JSON.stringify({
    node,
    desired,
    stale: desired === null || desired.version === 0 || now >= desired.expires,
    steps: judged.map(({ step, verdict }) => ({ ...step, verdict })),
    notes
  })
