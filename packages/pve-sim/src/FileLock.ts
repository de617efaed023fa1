import { Duration, Effect } from "effect"

/** How a waiter hears of it: the lines a worker prints while it waits (platform-facts 11, item 12). */
export interface LockWaiter<E = never> {
  readonly log: (line: string) => Effect.Effect<void>
  /** Fails when the waiter is told to give up. */
  readonly terminated?: Effect.Effect<never, E>
}

/** What differs from a config file's lock: how long to wait, and the words for it. */
export interface LockManners {
  readonly patience: Duration.DurationInput
  readonly waiting: string
  readonly got: string
}

/**
 * A file lock as in /run/lock: whoever comes second waits, and gives up after 10 s (platform-facts 5.8). A dead holder frees
 * it, however it died.
 */
export class FileLock {
  readonly #path: string
  readonly #speed: number
  #held = false
  readonly #waiting: Array<() => void> = []

  constructor(path: string, speed: number) {
    this.#path = path
    this.#speed = speed
  }

  get held(): boolean {
    return this.#held
  }

  /** Runs `body` under the lock. `refused` makes the failure from Proxmox's text for a lock that was not had in time. */
  hold<E2, E3 = never>(refused: (text: string) => E2, waiter?: LockWaiter<E3>, manners?: LockManners) {
    return <A, E, R>(body: Effect.Effect<A, E, R>): Effect.Effect<A, E | E2 | E3, R> =>
      Effect.acquireUseRelease(
        this.#acquire(refused, waiter, manners),
        () => body,
        () => Effect.sync(() => this.#passOn())
      )
  }

  #acquire<E2, E3>(
    refused: (text: string) => E2,
    waiter: LockWaiter<E3> | undefined,
    manners: LockManners = { patience: "10 seconds", waiting: "trying to acquire lock...", got: " OK" }
  ): Effect.Effect<void, E2 | E3> {
    return Effect.suspend(() => {
      if (!this.#held) {
        this.#held = true
        return Effect.void
      }
      const say = (line: string) => waiter?.log(line) ?? Effect.void
      const turn = waiter?.terminated === undefined ? this.#turn : Effect.raceFirst(this.#turn, waiter.terminated)
      return say(manners.waiting).pipe(
        Effect.zipRight(Effect.interruptible(turn)),
        Effect.timeoutFail({
          duration: Duration.times(Duration.decode(manners.patience), 1 / this.#speed),
          onTimeout: () => refused(`can't lock file '${this.#path}' - got timeout`)
        }),
        Effect.zipRight(say(manners.got))
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
