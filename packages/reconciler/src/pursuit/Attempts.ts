const first = 30_000
const longest = 3_600_000

/** A list of guests is up to ten seconds old, when pvestatd looks. */
const listAge = 15_000

interface Tried {
  readonly times: number
  readonly at: number
  /** When its work was over; null while it is not. */
  readonly ended: number | null
  /** Why it was not done the last time; null: it was, or is under way. */
  readonly failure: string | null
}

/**
 * When a step may be begun again: at once the first time, and after longer and longer pauses while what it does does not last. A
 * guest that falls over after each start is not started every half a minute for ever.
 */
export class Attempts {
  readonly #tried = new Map<string, Tried>()
  readonly #overtaken = new Set<string>()

  /** Milliseconds since the epoch, `now` where nothing holds it back. A clock that was set back holds nothing back for longer. */
  readonly allowedAt = (step: string, now: number): number => {
    const tried = this.#tried.get(step)
    if (tried === undefined || tried.at > now) return now
    return Math.max(now, tried.at + pauseAfter(tried.times))
  }

  /** What became of it, in words. */
  readonly soFar = (step: string): string => {
    const { failure = null, times = 0 } = this.#tried.get(step) ?? {}
    const often = times === 1 ? "once" : `${times} times`
    return failure === null
      ? `it was done ${often} of late and does not last`
      : `it was tried ${often} of late: ${failure}`
  }

  /** Its guest was found to be otherwise at the last moment; true where it was so the last time, too. */
  readonly overtaken = (step: string): boolean => {
    const again = this.#overtaken.has(step)
    this.#overtaken.add(step)
    return again
  }

  readonly begun = (step: string, now: number): void => {
    const tried = this.#tried.get(step)
    const again = tried !== undefined && now - tried.at < pauseAfter(tried.times) * 2 + longest
    this.#tried.set(step, { times: again ? tried.times + 1 : 1, at: now, ended: null, failure: null })
    this.#overtaken.delete(step)
  }

  readonly ended = (step: string, now: number, failure: string | null): void => {
    const tried = this.#tried.get(step)
    if (tried !== undefined) this.#tried.set(step, { ...tried, ended: now, failure })
  }

  /** What is seen of the host may be of before it was done: whether that lasts is not known yet. */
  readonly isYoung = (step: string, now: number): boolean => {
    const ended = this.#tried.get(step)?.ended ?? null
    return ended !== null && now >= ended && now - ended < listAge
  }

  /** Forgets all that was quiet for long. */
  readonly tidy = (now: number): void => {
    for (const [step, { at }] of this.#tried) if (Math.abs(now - at) > 4 * longest) this.#tried.delete(step)
  }
}

const pauseAfter = (times: number): number => Math.min(longest, first * 2 ** (Math.min(times, 20) - 1))
