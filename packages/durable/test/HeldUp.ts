import { Effect, Scheduler } from "effect"

/** Gives way to others once, after so many steps. */
export const heldUpAfter = <A, E>(steps: number, effect: Effect.Effect<A, E>): Effect.Effect<A, E> => {
  let isOver = false
  return Effect.withScheduler(effect, {
    shouldYield: ({ currentOpCount }) => {
      if (isOver || currentOpCount < steps) return false
      isOver = true
      return 0
    },
    scheduleTask: (task, priority) => Scheduler.defaultScheduler.scheduleTask(task, priority)
  })
}
