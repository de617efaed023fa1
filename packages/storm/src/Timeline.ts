import { Clock, Duration, Effect, GlobalValue, type Scheduler } from "effect"
import type { Chance } from "./Chance.ts"

/** Whoever has fibers and timers: once it is over, nothing of it goes on, as after SIGKILL. */
export class Life {
  over = false
}

/** Where Effect keeps each fiber that no other one started, until it ends. */
const { roots } = GlobalValue.globalValue(
  Symbol.for("effect/FiberScope/Global"),
  () => ({ roots: new Set<unknown>() })
)

/** A life that was killed leaves fibers that never end, and all that they hold: some 100 MB in a thousand schedules. */
export const forgetKilled = (): void => roots.clear()

interface Timer {
  readonly at: number
  readonly life: Life
  readonly ring: () => void
}

interface Runnable {
  readonly life: Life
  readonly task: () => void
}

/** How a schedule's fibers are mixed: how often another than the one that has waited longest goes on, and how many steps one may take. */
export interface Mixing {
  readonly outOfTurn: number
  readonly stepsInARow: number
}

/**
 * All time and all order of one world. Fibers of every life wait in one line, and a seed says which goes on; when none can, the
 * time is that of the next timer. Everything happens within `run`, so a schedule is as fast as its own work.
 */
export class Timeline {
  /** Milliseconds since the world began, which nobody can set. */
  elapsed = 0
  /** Fibers' turns so far. */
  turns = 0
  /** Turns since the time last went on. */
  turnsNow = 0
  /** The most that `offset` ever was. */
  furthest = 0
  mixing: Mixing
  readonly begun: number
  readonly #chance: Chance
  #offset = 0
  #ready: Array<Runnable> = []
  #timers: Array<Timer> = []

  constructor(begun: number, chance: Chance, mixing: Mixing) {
    this.begun = begun
    this.#chance = chance
    this.mixing = mixing
  }

  /** What the host's clock shows beyond `begun + elapsed`, in ms: somebody sets it. */
  get offset(): number {
    return this.#offset
  }

  set offset(millis: number) {
    this.#offset = millis
    this.furthest = Math.max(this.furthest, millis)
  }

  /** What the host's clock shows, in milliseconds since the epoch. */
  get hostTime(): number {
    return this.begun + this.elapsed + this.offset
  }

  /** The true time, by which the hub goes. */
  get trueTime(): number {
    return this.begun + this.elapsed
  }

  scheduler(life: Life): Scheduler.Scheduler {
    return {
      shouldYield: (fiber) => fiber.currentOpCount > this.mixing.stepsInARow ? 0 : false,
      scheduleTask: (task) => {
        if (!life.over) this.#ready.push({ life, task })
      }
    }
  }

  /** The host's clock for one life. */
  clock(life: Life): Clock.Clock {
    const sleep = (duration: Duration.Duration): Effect.Effect<void> =>
      Duration.isFinite(duration)
        ? Effect.async((resume) => {
          const cancel = this.after(Duration.toMillis(duration), life, () => resume(Effect.void))
          return Effect.sync(cancel)
        })
        : Effect.never
    return {
      [Clock.ClockTypeId]: Clock.ClockTypeId,
      unsafeCurrentTimeMillis: () => this.hostTime,
      unsafeCurrentTimeNanos: () => BigInt(this.begun + this.elapsed) * 1_000_000n,
      currentTimeMillis: Effect.sync(() => this.hostTime),
      currentTimeNanos: Effect.sync(() => BigInt(this.begun + this.elapsed) * 1_000_000n),
      sleep
    }
  }

  /** Rings once so many milliseconds have passed, unless it is cancelled or its life is over. */
  after(millis: number, life: Life, ring: () => void): () => void {
    const timer: Timer = { at: this.elapsed + Math.max(0, Math.ceil(millis)), life, ring }
    let low = 0
    let high = this.#timers.length
    // The next one stands last; of those at one time, the first to come stands behind.
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#timers[middle]?.at ?? 0) <= timer.at) high = middle
      else low = middle + 1
    }
    this.#timers.splice(low, 0, timer)
    return () => {
      const found = this.#timers.indexOf(timer)
      if (found >= 0) this.#timers.splice(found, 1)
    }
  }

  /** Drops all that a life had going. */
  end(life: Life): void {
    life.over = true
    this.#ready = this.#ready.filter((one) => one.life !== life)
    this.#timers = this.#timers.filter((one) => one.life !== life)
  }

  /** Whether anything will ever go on in a life by itself, once none of its fibers can at present. */
  waits(life: Life): boolean {
    return this.#timers.some((timer) => timer.life === life)
  }

  /** Lets one fiber go on; false where none can. */
  turn(): boolean {
    const ready = this.#ready
    if (ready.length === 0) return false
    const at = ready.length > 1 && this.#chance.is(this.mixing.outOfTurn) ? this.#chance.below(ready.length) : 0
    const [next] = ready.splice(at, 1)
    this.turns += 1
    this.turnsNow += 1
    next?.task()
    return true
  }

  /** Goes on to the next timer, at most so far; false where that is farther away, or there is none. */
  leap(until: number): boolean {
    const next = this.#timers.at(-1)
    if (next === undefined || next.at > until) {
      if (until > this.elapsed) this.turnsNow = 0
      this.elapsed = Math.max(this.elapsed, until)
      return false
    }
    if (next.at > this.elapsed) this.turnsNow = 0
    this.elapsed = Math.max(this.elapsed, next.at)
    // All of one moment ring before anybody goes on, so that it is the seed that says who does.
    for (let due = this.#timers.at(-1); due !== undefined && due.at <= this.elapsed; due = this.#timers.at(-1)) {
      this.#timers.pop()
      if (!due.life.over) due.ring()
    }
    return true
  }
}
