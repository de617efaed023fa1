import type { SignedOp } from "@felhom/domain/SignedOp"
import { Hold } from "@felhom/durable/Hold"
import type { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import type { ProxmoxError } from "@felhom/proxmox/ProxmoxError"
import { Clock, Data, Duration, Effect, Either, Option } from "effect"
import type { Alone } from "./OpQueues.ts"
import { type Busy, targetBusy } from "./TargetBusy.ts"

/** The op has waited for its target until it could not be done any more; nothing was spent and nothing sent. */
export class WaitEnded extends Data.TaggedError("WaitEnded")<{ readonly why: string }> {}

/** Until the next look, in seconds: soon at first, then as rarely as nobody minds on a backup of hours. */
const paces = [5, 10, 20] as const
const slowest = 30

/** A lock that comes and goes is told of so many times for one op. */
const mostTellings = 20

const time = (at: number): string => new Date(at).toISOString()

/** What somebody waits for, for people. */
const words = (op: SignedOp, { why }: Busy): string => `${why}; it waits, until ${time(op.exp)} at most`

/** Neither what is not there any more nor what may not be read gets better by waiting. */
const lasting: ReadonlySet<ProxmoxError["reason"]> = new Set(["unauthorized", "forbidden", "no-mandate", "unsupported"])

/**
 * Does the work, which spends the nonce, as soon as nothing else has the op's target: an op behind somebody's backup of three
 * hours is done after it. It gives up when the op expires or a hold is set. A target that can't be looked at is not waited
 * for, as the work says better what is wrong; once it waits, such a look changes nothing.
 *
 * `told` is given what it waits for, whenever that is something else.
 */
export const whenFree = <A, E, R>(
  op: SignedOp,
  alone: Alone,
  told: (why: string) => Effect.Effect<void>,
  work: Effect.Effect<A, E, R>
): Effect.Effect<A, E | WaitEnded, R | ProxmoxClient | Hold> =>
  Effect.gen(function*() {
    const hold = yield* Hold
    let last: Busy | undefined
    const look = targetBusy(op).pipe(
      Effect.catchAll((error) =>
        Effect.as(
          Effect.logDebug("an op's target can't be looked at", error.message),
          lasting.has(error.reason) ? undefined : last
        )
      )
    )
    const attempt = alone(
      Effect.flatMap(
        look,
        (busy): Effect.Effect<Either.Either<A, Busy>, E, R> =>
          busy === undefined ? Effect.map(work, Either.right) : Effect.succeed(Either.left(busy))
      )
    )

    const begun = yield* Clock.currentTimeMillis
    let tellings = 0
    for (let looks = 0;; looks++) {
      const found = yield* attempt
      if (Either.isRight(found)) return found.right
      const busy = found.left
      if (busy.key !== last?.key && tellings < mostTellings) {
        tellings += 1
        yield* told(words(op, busy))
      }
      last = busy
      const left = op.exp - (yield* Clock.currentTimeMillis)
      const pace = Duration.toMillis(Duration.seconds(paces[looks] ?? slowest))
      if (left > 0) yield* Effect.sleep(Duration.millis(Math.min(left, pace)))
      const waited = `it had waited since ${time(begun)}: ${busy.why}`
      if ((yield* Clock.currentTimeMillis) >= op.exp) {
        return yield* new WaitEnded({ why: `it expired at ${time(op.exp)}; ${waited}` })
      }
      const held = yield* hold.current
      if (Option.isSome(held)) {
        return yield* new WaitEnded({
          why: `the host is held since ${time(held.value.since)}: ${held.value.reason}; ${waited}`
        })
      }
    }
  })
