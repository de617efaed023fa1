const first = 30_000
const longest = 3_600_000

interface Tried {
  readonly times: number
  readonly at: number
}

/**
 * When a step may be begun again: at once the first time, and after longer and longer pauses while what it does does not last. A
 * guest that falls over after each start is not started every half a minute for ever.
 */
export class Attempts {
  readonly #tried = new Map<string, Tried>()

  /** Milliseconds since the epoch, `now` where nothing holds it back. A clock that was set back holds nothing back for longer. */
  readonly allowedAt = (step: string, now: number): number => {
    const tried = this.#tried.get(step)
    if (tried === undefined || tried.at > now) return now
    return Math.max(now, tried.at + pauseAfter(tried.times))
  }

  /** How often it was begun without a long quiet time in between. */
  readonly times = (step: string): number => this.#tried.get(step)?.times ?? 0

  readonly begun = (step: string, now: number): void => {
    const tried = this.#tried.get(step)
    const again = tried !== undefined && now - tried.at < pauseAfter(tried.times) * 2 + longest
    this.#tried.set(step, { times: again ? tried.times + 1 : 1, at: now })
  }

  /** Forgets all that was quiet for long. */
  readonly tidy = (now: number): void => {
    for (const [step, { at }] of this.#tried) if (Math.abs(now - at) > 4 * longest) this.#tried.delete(step)
  }
}

const pauseAfter = (times: number): number => Math.min(longest, first * 2 ** (Math.min(times, 20) - 1))
