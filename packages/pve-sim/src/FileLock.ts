import { Duration, Effect } from "effect"

/** How a waiter hears of it: the lines a worker prints while it waits (platform-facts 11, item 12). */
export interface LockWaiter {
  readonly log: (line: string) => Effect.Effect<void>
}

/**
 * A file lock as in /run/lock: whoever comes second waits, and gives up after 10 s (platform-facts 5.8). A dead holder frees
 * it, however it died.
 */
export class FileLock {
  readonly #path: string
  readonly #patience: Duration.Duration
  #held = false
  readonly #waiting: Array<() => void> = []

  constructor(path: string, speed: number) {
    this.#path = path
    this.#patience = Duration.millis(10_000 / speed)
  }

  /** Runs `body` under the lock. `refused` makes the failure from Proxmox's text for a lock that was not had in time. */
  hold<E2>(refused: (text: string) => E2, waiter?: LockWaiter) {
    return <A, E, R>(body: Effect.Effect<A, E, R>): Effect.Effect<A, E | E2, R> =>
      Effect.acquireUseRelease(
        this.#acquire(refused, waiter),
        () => body,
        () => Effect.sync(() => this.#passOn())
      )
  }

  #acquire<E2>(refused: (text: string) => E2, waiter: LockWaiter | undefined): Effect.Effect<void, E2> {
    return Effect.suspend(() => {
      if (!this.#held) {
        this.#held = true
        return Effect.void
      }
      const say = (line: string) => waiter?.log(line) ?? Effect.void
      return say("trying to acquire lock...").pipe(
        Effect.zipRight(Effect.interruptible(this.#turn)),
        Effect.timeoutFail({
          duration: this.#patience,
          onTimeout: () => refused(`can't lock file '${this.#path}' - got timeout`)
        }),
        Effect.zipRight(say(" OK"))
      )
    })
  }

  get #turn(): Effect.Effect<void> {
    return Effect.async<void>((resume) => {
      const wake = () => resume(Effect.void)
      this.#waiting.push(wake)
      return Effect.sync(() => {
        const at = this.#waiting.indexOf(wake)
        // Given up on in the very moment in which its turn had come: the next one must not wait for it.
        if (at < 0) this.#passOn()
        else this.#waiting.splice(at, 1)
      })
    })
  }

  #passOn(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#held = false
    else next()
  }
}
