import { formatGuestRef } from "@felhom/domain/ProxmoxId"
import type { OpOutcome } from "@felhom/durable/JournalWords"
import { OpJournal } from "@felhom/durable/OpJournal"
import type { OpenStep } from "@felhom/durable/StepState"
import type { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import type { TaskWaiter } from "@felhom/proxmox/TaskWaiter"
import { Effect } from "effect"
import { resumeMake } from "../make/Making.ts"
import { spokenRef } from "../plan/ObservedHost.ts"
import { PursuitNews, type ToldStep } from "./PursuitNews.ts"
import { followed, lookedUp } from "./StepEnd.ts"
import { settle } from "./StepRun.ts"

const makes = "guest.make"

const toldOf = ({ action, guest, step, write }: OpenStep): ToldStep => ({
  subject: guest === null ? step.replace(/ [^ ]+$/, "") : formatGuestRef(guest),
  words: `${guest === null ? step : `${spokenRef(guest)}: ${action}`}${write === null ? "" : ` ${write.key}`}`
})

/** The key in `new KEY guest.make`. */
const keyOf = ({ step }: OpenStep): string => step.split(" ")[1] ?? ""

const endOf = (
  open: OpenStep,
  told: ToldStep
): Effect.Effect<OpOutcome, never, ProxmoxClient | TaskWaiter | OpJournal | PursuitNews> => {
  if (open.action === makes) {
    return Effect.map(resumeMake(keyOf(open), { start: true }), ({ detail, end }) => ({ end, detail }))
  }
  return open.upid === null
    ? lookedUp(open, (upid) =>
      Effect.gen(function*() {
        const { desired } = yield* OpJournal
        yield* Effect.catchAll(
          desired.started(open.step, upid),
          (error) => Effect.logError("the journal can't be written", error.message)
        )
        yield* (yield* PursuitNews).started(told, upid)
      }))
    : followed(open.upid)
}

/** Follows a step that an earlier life left open to its end. Nothing of it is sent again. */
export const recoverStep = (
  open: OpenStep
): Effect.Effect<void, never, ProxmoxClient | TaskWaiter | OpJournal | PursuitNews> => {
  const told = toldOf(open)
  const tell = (outcome: OpOutcome) => Effect.flatMap(PursuitNews, (news) => news.endedBefore(told, outcome))
  const { outcome, step } = open
  if (outcome === null) return Effect.flatMap(endOf(open, told), (end) => settle(step, end, tell(end)))
  const { detail, end } = outcome
  return Effect.gen(function*() {
    const { desired } = yield* OpJournal
    if (yield* tell({ end, detail })) {
      yield* Effect.catchAll(
        desired.told(step),
        (error) => Effect.logError("the journal can't be written, so a step's end is told again", error.message)
      )
    }
  })
}
