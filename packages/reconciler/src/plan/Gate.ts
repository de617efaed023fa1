import type { DesiredPolicy } from "@felhom/domain/DesiredPolicy"
import { actionClass, bridgesOf, disturbs, roomOf } from "./ActionClass.ts"
import { type Capped, type Counts, creationCapped, growthCapped, touchCapped } from "./Counts.ts"
import { noRoom } from "./Floors.ts"
import { identityText } from "./Matching.ts"
import { bridgeOf } from "./NetworkCard.ts"
import type { ObservedHost, ObservedStorage } from "./ObservedHost.ts"
import type { Action, BenignStep, Plan, PlanStep } from "./PlanStep.ts"
import { nextOpening } from "./Window.ts"

/** Whether a step may be done now, with the reason in a line. `until` is null where no clock ends the wait. */
export type Verdict =
  | { readonly answer: "go"; readonly reason: string }
  | { readonly answer: "wait"; readonly until: number | null; readonly reason: string }
  | { readonly answer: "needs-signature"; readonly reason: string }
  | { readonly answer: "never"; readonly reason: string }

/** What the gate goes by, all of it as it is now. */
export interface GateInput {
  readonly policy: DesiredPolicy
  readonly now: number
  /** Since when and why the host is held; null: it is not. */
  readonly hold: { readonly since: number; readonly reason: string } | null
  /** From when on nothing new is begun for the desired state. */
  readonly expires: number
  readonly counts: Counts
  readonly storages: ObservedHost["storages"]
}

const go = (reason: string): Verdict => ({ answer: "go", reason })
const never = (reason: string): Verdict => ({ answer: "never", reason })
const wait = (until: number | null, reason: string): Verdict => ({ answer: "wait", until, reason })
const time = (at: number): string => new Date(at).toISOString()

/** What the steps before have used up. */
class Tally {
  readonly #input: GateInput
  readonly #touched: Map<string, number>
  readonly #created: Array<number>
  readonly #grown: Array<{ readonly at: number; readonly bytes: number }>
  readonly #promised = new Map<string, number>()
  readonly #storages: ReadonlyMap<string, ObservedStorage>
  readonly #gone = new Set<string>()

  constructor(input: GateInput) {
    this.#input = input
    this.#touched = new Map(input.counts.touched)
    this.#created = [...input.counts.created]
    this.#grown = [...input.counts.grown]
    this.#storages = new Map(input.storages.map((one) => [one.storage, one]))
  }

  get counts(): Counts {
    return { touched: this.#touched, created: this.#created, grown: this.#grown }
  }

  /** Whether all of these were let through. */
  allGone(ids: ReadonlyArray<string>): boolean {
    return ids.every((id) => this.#gone.has(id))
  }

  noRoom(action: Action): string | undefined {
    const room = roomOf(action)
    return room === null
      ? undefined
      : noRoom(this.#input.policy, this.#storages.get(room.storage), {
        ...room,
        promised: this.#promised.get(room.storage) ?? 0
      })
  }

  add({ action, guest, id }: BenignStep): void {
    const at = this.#input.now
    this.#gone.add(id)
    if (action.kind === "guest.make") this.#created.push(at)
    else this.#touched.set(identityText(guest.type, guest.identity), at)
    if (action.kind === "volume.grow") this.#grown.push({ at, bytes: action.by })
    const room = roomOf(action)
    if (room !== null) this.#promised.set(room.storage, (this.#promised.get(room.storage) ?? 0) + (room.bytes ?? 0))
  }
}

const classRefusal = ({ action, guest }: BenignStep): Verdict | undefined => {
  const decided = actionClass(action, guest)
  const what = "key" in action ? `${action.kind} ${action.key}` : action.kind
  switch (decided) {
    case "benign":
      return undefined
    case "needs-signature":
      return { answer: "needs-signature", reason: `${what} takes more than the hub's word` }
    case "never":
      return never(`${what} is nothing that this version may write`)
  }
}

const bridgeRefusal = (policy: DesiredPolicy, { action, precondition }: BenignStep): Verdict | undefined => {
  const present = bridgeOf(precondition.before?.text ?? "")
  const other = bridgesOf(action).find((bridge) => bridge !== present && !policy.bridges.includes(bridge))
  return other === undefined
    ? undefined
    : never(`the host's policy allows no bridge ${other === "" ? "at all" : other}`)
}

const makingRefusal = (policy: DesiredPolicy, { action }: BenignStep): Verdict | undefined => {
  if (action.kind !== "guest.make") return undefined
  if (!policy.storages.includes(action.storage)) {
    return never(`the host's policy allows no new guest on the storage ${action.storage}`)
  }
  return Object.values(policy.images).includes(action.archive)
    ? undefined
    : never(`the host's policy knows no image ${action.archive}`)
}

const policyRefusal = (policy: DesiredPolicy, step: BenignStep): Verdict | undefined =>
  policy.correction[step.drift] === "fix"
    ? bridgeRefusal(policy, step) ?? makingRefusal(policy, step)
    : never(`the host's policy has ${step.drift} told, not put right`)

const standingRefusal = (step: BenignStep, { expires, hold, now }: GateInput, tally: Tally): Verdict | undefined => {
  if (now >= expires) return never(`the desired state was good until ${time(expires)}; publish a new one`)
  if (hold !== null) return wait(null, `the host is held since ${time(hold.since)}: ${hold.reason}`)
  if (step.waitsFor !== null) return wait(null, step.waitsFor)
  return step.guest.ref === null && !tally.allGone(step.after)
    ? wait(null, "the guest has to be made first")
    : undefined
}

const capFor = (step: BenignStep, { now, policy }: GateInput, tally: Tally): Capped | undefined => {
  const { action, guest } = step
  if (action.kind === "guest.make") return creationCapped(policy, tally.counts, now)
  // The start of what was just made is part of making it.
  if (guest.ref === null) return undefined
  return touchCapped(policy, tally.counts, identityText(guest.type, guest.identity), now) ??
    (action.kind === "volume.grow" ? growthCapped(policy, tally.counts, action.by, now) : undefined)
}

const momentRefusal = (step: BenignStep, input: GateInput, tally: Tally): Verdict | undefined => {
  const open = disturbs(step.action) ? nextOpening(input.policy, input.now) : input.now
  if (open > input.now) {
    return wait(open, `it disturbs the guest, and the next maintenance window opens at ${time(open)}`)
  }
  const capped = capFor(step, input, tally)
  if (capped !== undefined) return wait(capped.until, capped.reason)
  const full = tally.noRoom(step.action)
  return full === undefined ? undefined : wait(null, full)
}

const judge = (step: PlanStep, input: GateInput, tally: Tally): Verdict => {
  switch (step.class) {
    case "not-possible":
      return never(step.reason)
    case "needs-signature":
      return { answer: "needs-signature", reason: step.reason }
    case "benign":
      return classRefusal(step) ?? policyRefusal(input.policy, step) ?? standingRefusal(step, input, tally) ??
        momentRefusal(step, input, tally) ?? go(step.reason)
  }
}

/** A step with the gate's word on it. */
export interface Judged {
  readonly step: PlanStep
  readonly verdict: Verdict
}

/**
 * What may be done now of a plan, in its order: each step is judged as if those before it that may go were done. An executor asks
 * anew before each step, with the counters as they are then.
 */
export const judgePlan = ({ steps }: Plan, input: GateInput): ReadonlyArray<Judged> => {
  const tally = new Tally(input)
  return steps.map((step) => {
    const verdict = judge(step, input, tally)
    if (verdict.answer === "go" && step.class === "benign") tally.add(step)
    return { step, verdict }
  })
}
