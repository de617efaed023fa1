import type { OpJournal } from "@felhom/durable/OpJournal"
import type { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import type { TaskWaiter } from "@felhom/proxmox/TaskWaiter"
import { Cause, Effect, Fiber } from "effect"
import type { Action, BenignStep } from "../plan/PlanStep.ts"
import { PursuitNews } from "./PursuitNews.ts"
import { heldUp } from "./Standing.ts"
import { isMaking, runStep, type Standpoint } from "./StepRun.ts"

/** So many guests are worked on at once. */
export const guestsAtOnce = 4

const phaseOf: { readonly [kind in Action["kind"]]: "free" | "change" | "make" | "start" } = {
  "guest.shutdown": "free",
  "config.set": "change",
  "config.clear": "change",
  "volume.grow": "change",
  "guest.make": "make",
  "guest.start": "start"
}

/** Whom a step keeps others from: one guest, or one that is still to be made. */
export const whomOf = ({ guest: { identity, ref } }: BenignStep): string =>
  ref === null ? `new ${identity.key ?? ""}` : `guest ${ref.vmid}`

/** Each guest's own steps, in the plan's order, guests in the order of their first. */
const byGuest = (steps: ReadonlyArray<BenignStep>): ReadonlyArray<ReadonlyArray<BenignStep>> => {
  const groups = new Map<string, Array<BenignStep>>()
  for (const step of steps) {
    const group = groups.get(whomOf(step))
    if (group === undefined) groups.set(whomOf(step), [step])
    else group.push(step)
  }
  return [...groups.values()]
}

/**
 * Some of them at once. `Effect.forEach` with `concurrency` does the same, but never ends when it is interrupted before the first of
 * its fibers has begun (effect 3.22), and whoever closes its scope waits for it.
 */
const together = <R>(
  works: ReadonlyArray<Effect.Effect<void, never, R>>,
  atOnce: number
): Effect.Effect<void, never, R> =>
  Effect.flatMap(
    Effect.makeSemaphore(atOnce),
    (places) => Effect.forEach(works, (work) => Effect.fork(places.withPermits(1)(work)))
  ).pipe(
    Effect.flatMap((fibers) => Effect.forEach(fibers, (fiber) => Fiber.join(fiber), { discard: true }))
  )

/**
 * Does what a plan lets go, in its order: what frees memory first, then changes, then starts; beside them, what is new. One guest's
 * steps go one after the other, and some guests at once. `left` is told of each guest whose last step is over.
 */
export const runPass = (
  steps: ReadonlyArray<BenignStep>,
  at: Standpoint,
  left: (whom: string) => void
): Effect.Effect<void, never, ProxmoxClient | TaskWaiter | OpJournal | PursuitNews> => {
  const pending = new Map<string, number>()
  for (const step of steps) pending.set(whomOf(step), (pending.get(whomOf(step)) ?? 0) + 1)
  const over = (step: BenignStep) =>
    Effect.sync(() => {
      const rest = (pending.get(whomOf(step)) ?? 1) - 1
      pending.set(whomOf(step), rest)
      if (rest === 0) left(whomOf(step))
    })
  const starts = (step: BenignStep): boolean =>
    steps.some((other) => other.action.kind === "guest.start" && whomOf(other) === whomOf(step))
  const one = (step: BenignStep) =>
    runStep(step, isMaking(step) && starts(step), at).pipe(
      Effect.catchAllCause((cause) =>
        Cause.isInterruptedOnly(cause) ? Effect.void : Effect.zipRight(
          Effect.logError("a step of the plan could not be begun", cause),
          Effect.flatMap(
            PursuitNews,
            (news) =>
              news.heldUp(
                heldUp(
                  step,
                  "the agent itself failed at it, which its log tells more of; what was begun is taken up when it starts next"
                ),
                step.id
              )
          )
        )
      ),
      Effect.ensuring(over(step))
    )
  const phase = (name: (typeof phaseOf)[Action["kind"]], filter: (step: BenignStep) => boolean = () => true) =>
    together(
      byGuest(steps.filter((step) => phaseOf[step.action.kind] === name && filter(step)))
        .map((group) => Effect.forEach(group, one, { discard: true })),
      guestsAtOnce
    )
  const there = ({ guest }: BenignStep): boolean => guest.ref !== null
  // What is made is started by its making; its own step only ends with it.
  const newcomers = Effect.zipRight(
    phase("make"),
    Effect.forEach(
      steps.filter((step) => step.action.kind === "guest.start" && !there(step)),
      over,
      { discard: true }
    )
  )
  return Effect.zipRight(
    phase("free"),
    Effect.zipRight(
      phase("change"),
      together([phase("start", there), newcomers], 2)
    )
  )
}
