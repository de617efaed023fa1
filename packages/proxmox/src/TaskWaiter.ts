import type { TaskOutcome } from "@felhom/domain/TaskOutcome"
import { parseUpid, type Upid } from "@felhom/domain/Upid"
import { Clock, Context, Duration, Effect, Either, Layer } from "effect"
import { ProxmoxClient } from "./ProxmoxClient.ts"
import type { ProxmoxError } from "./ProxmoxError.ts"
import { ForeignTask, TaskNotOk } from "./TaskError.ts"

/**
 * Follows a task to its end.
 *
 * The next look comes after a tenth of the time waited, at least 0.1 s and at most 5 s, so the end is seen at most that much
 * too late. Interrupting the wait leaves the task running; nothing here ever stops one.
 */
export class TaskWaiter extends Context.Tag("felhom/proxmox/TaskWaiter")<TaskWaiter, {
  /**
   * How the task ended. When the API gave no usable answer for two minutes, or has lost the record, the outcome is `unknown`,
   * never `failed`. Fails only where asking again is no use: the token or its privileges were refused, or the answer is not
   * Proxmox's. That says nothing about the task either.
   *
   * @see platform-facts 4.2
   */
  readonly wait: (upid: Upid) => Effect.Effect<TaskOutcome, ProxmoxError | ForeignTask>
  /** Waits for what `ProxmoxClient.setConfig` gave: null was done at once, which is `ok` without a UPID. */
  readonly settle: (result: Upid | null) => Effect.Effect<TaskOutcome, ProxmoxError | ForeignTask>
}>() {}

/** The outcomes that mean it was done. */
export type TaskDone = Extract<TaskOutcome, { readonly _tag: "ok" | "warnings" }>

/**
 * The outcome if it was done, warnings included (show their log); else `TaskNotOk` with the end of the log. `what` follows
 * "could not": `snapshot lxc/101`.
 */
export const expectOk = (what: string, outcome: TaskOutcome): Effect.Effect<TaskDone, TaskNotOk> =>
  outcome._tag === "ok" || outcome._tag === "warnings"
    ? Effect.succeed(outcome)
    : Effect.fail(new TaskNotOk({ what, outcome }))

const silenceLimitMillis = Duration.toMillis("2 minutes")
const tailLines = 20

/** Milliseconds until the next look at a task that was waited for so long: sooner on short tasks and rarer on long ones than each second. */
const delayAfter = (elapsedMillis: number): number => Math.min(5000, Math.max(100, Math.floor(elapsedMillis / 10)))

// While the daemons restart, a disk is slow or a certificate is exchanged, a read fails and the task goes on.
const passes = (error: ProxmoxError): boolean => {
  switch (error.reason) {
    case "unreachable":
    case "not-started":
    case "lock-timeout":
    case "refused-certificate":
    case "no-quorum":
      return true
    default:
      return error.status !== null && error.status >= 500 && error.status !== 501
  }
}

// From the steady clock: setting the time of day must not end a wait.
const steadyMillis = Effect.map(Clock.currentTimeNanos, (nanos) => Number(nanos / 1_000_000n))

/** Exit status to outcome (platform-facts 4.2). */
const kindOf = (exitStatus: string | null): { readonly tag: TaskOutcome["_tag"]; readonly count: number } => {
  const text = (exitStatus ?? "").trim()
  if (text === "OK") return { tag: "ok", count: 0 }
  const warnings = /^WARNINGS: (\d+)$/.exec(text)
  if (warnings !== null) return { tag: "warnings", count: Number(warnings[1]) }
  return text === "" || text === "unexpected status" || text.startsWith("unable to get last line")
    ? { tag: "unknown", count: 0 }
    : { tag: "failed", count: 0 }
}

/** Follows tasks by this client's calls. */
export const make = (client: Context.Tag.Service<ProxmoxClient>): Context.Tag.Service<TaskWaiter> => {
  // Two reads at most, however long the log is: the first tells its length. A log that can't be read says so in its place,
  // since the outcome is known without it.
  const tailOf = (upid: Upid): Effect.Effect<ReadonlyArray<string>> =>
    client.taskLog(upid, { start: 0, limit: tailLines }).pipe(
      Effect.filterOrElse(
        (log) => log.total <= tailLines,
        (log) => client.taskLog(upid, { start: log.total - tailLines, limit: tailLines })
      ),
      Effect.map((log) => log.rows.map((line) => line.t ?? "")),
      Effect.catchAll((error) => Effect.succeed([`(its log could not be read: ${error.message})`]))
    )

  const unknown = (upid: Upid, reason: string) =>
    Effect.map(tailOf(upid), (logTail): TaskOutcome => ({ _tag: "unknown", upid, reason, logTail }))

  const ended = (upid: Upid, exitStatus: string | null): Effect.Effect<TaskOutcome> => {
    const { count, tag } = kindOf(exitStatus)
    switch (tag) {
      case "ok":
        return Effect.succeed({ _tag: "ok", upid })
      case "warnings":
        return Effect.map(tailOf(upid), (logTail) => ({ _tag: "warnings", upid, count, logTail }))
      case "failed":
        return Effect.map(tailOf(upid), (logTail) => ({ _tag: "failed", upid, exitStatus: exitStatus ?? "", logTail }))
      case "unknown":
        return unknown(
          upid,
          `its log has no end (${exitStatus ?? "no exit status"}): it was killed, or the host went down`
        )
    }
  }

  const isOurs = (upid: Upid): boolean =>
    Either.match(parseUpid(upid), {
      onLeft: () => false,
      onRight: ({ node, user }) => node === client.node && user === client.tokenId
    })

  const follow = (upid: Upid): Effect.Effect<TaskOutcome, ProxmoxError> =>
    Effect.gen(function*() {
      const begun = yield* steadyMillis
      let answered = begun
      while (true) {
        const waited = (yield* steadyMillis) - begun
        yield* Effect.sleep(Duration.millis(delayAfter(waited)))
        const look = yield* Effect.either(client.taskStatus(upid))
        const now = yield* steadyMillis
        if (Either.isRight(look)) {
          if (look.right.status === "stopped") return yield* ended(upid, look.right.exitstatus)
          answered = now
        } else if (look.left.reason === "task-not-found") {
          return yield* unknown(upid, "the node has no record of it any more")
        } else if (!passes(look.left)) {
          return yield* look.left
        } else if (now - answered >= silenceLimitMillis) {
          const seconds = Math.round((now - answered) / 1000)
          return {
            _tag: "unknown",
            upid,
            reason: `no answer about it for ${seconds} s: ${look.left.message}`,
            logTail: []
          }
        }
      }
    })

  const wait = (upid: Upid) =>
    isOurs(upid)
      ? follow(upid)
      : Effect.fail(new ForeignTask({ upid, node: client.node, tokenId: client.tokenId }))

  return {
    wait,
    settle: (result) => result === null ? Effect.succeed({ _tag: "ok", upid: null }) : wait(result)
  }
}

export const layer: Layer.Layer<TaskWaiter, never, ProxmoxClient> = Layer.effect(
  TaskWaiter,
  Effect.map(ProxmoxClient, make)
).pipe(Layer.ensureRequirementsType<ProxmoxClient>())
