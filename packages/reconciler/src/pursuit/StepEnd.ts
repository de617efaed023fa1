import type { TaskOutcome } from "@felhom/domain/TaskOutcome"
import type { Upid } from "@felhom/domain/Upid"
import type { OpOutcome } from "@felhom/durable/JournalWords"
import type { OpenStep } from "@felhom/durable/StepState"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import { TaskWaiter } from "@felhom/proxmox/TaskWaiter"
import { Effect } from "effect"
import { patiently } from "../make/Patience.ts"
import { ownTasks } from "../op/TaskLookup.ts"
import { rawText } from "../plan/Finding.ts"

/** Whether a task of ours has begun is asked again after this, as a call that was given up may still be on its way. */
const secondLook = "30 seconds"

const logText = (tail: ReadonlyArray<string>): string => (tail.length === 0 ? "" : `: ${tail.slice(-5).join("; ")}`)

export const failed = (detail: string): OpOutcome => ({ end: "failed", detail })
export const unknown = (detail: string): OpOutcome => ({ end: "unknown", detail })
export const finished = (detail: string): OpOutcome => ({ end: "finished", detail })

/** A task's word. Whether the host is as wished then, the next observation says. */
export const taskEnd = (outcome: TaskOutcome): OpOutcome => {
  switch (outcome._tag) {
    case "ok":
      return finished("")
    case "warnings":
      return finished(`with warnings${logText(outcome.logTail)}`)
    case "failed":
      return failed(`${outcome.exitStatus}${logText(outcome.logTail)}`)
    case "unknown":
      return unknown(`nobody can tell: ${outcome.reason}; it is planned anew from what is there then`)
  }
}

/** Follows the task to its end. */
export const followed = (upid: Upid): Effect.Effect<OpOutcome, never, TaskWaiter> =>
  Effect.flatMap(TaskWaiter, (waiter) =>
    Effect.match(waiter.wait(upid), {
      onSuccess: taskEnd,
      onFailure: (error) => unknown(`its task can't be followed: ${error.message}`)
    }))

/** Without a task, what was written is all that a call leaves behind. */
const written = ({ guest, write }: Pick<OpenStep, "guest" | "write">) =>
  Effect.gen(function*() {
    if (guest === null || write === null) return unknown("no answer came, and it leaves no trace to look for")
    const client = yield* ProxmoxClient
    const config = yield* patiently(client.guestConfig(guest))
    return rawText(config[write.key])?.trimEnd() === write.text?.trimEnd()
      ? finished("no answer came, and it is written")
      : failed("no answer came, and it was not written")
  })

/** What is to be looked for. */
export type LostCall = Pick<OpenStep, "guest" | "write" | "call" | "begunAt">

/**
 * Of a call that may have been made and of which no answer is known: protocol 5, after a crash. It is not sent again; what it was
 * for is planned anew from what is there. `adopted` is given the task that is found.
 */
export const lookedUp = <R>(
  lost: LostCall,
  adopted: (upid: Upid) => Effect.Effect<void, never, R>
): Effect.Effect<OpOutcome, never, ProxmoxClient | TaskWaiter | R> =>
  Effect.gen(function*() {
    if (lost.call.taskType === null) return yield* written(lost)
    const tasks = patiently(ownTasks({ ...lost.call, at: lost.begunAt }, () => true))
    let found = yield* tasks
    if (found.length === 0) {
      yield* Effect.sleep(secondLook)
      found = yield* tasks
    }
    const [upid, ...others] = found
    if (upid === undefined) return failed("no answer came and there is no task of it: it was not begun")
    if (others.length > 0) return unknown(`${found.length} tasks could be the one: ${found.join(", ")}`)
    yield* adopted(upid)
    return yield* followed(upid)
  }).pipe(
    Effect.catchAll((error) =>
      Effect.succeed(unknown(`no answer came, and Proxmox could not be asked: ${error.message}; look for its effect`))
    )
  )
