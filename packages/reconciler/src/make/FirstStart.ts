import type { GuestRef } from "@felhom/domain/ProxmoxId"
import type { Upid } from "@felhom/domain/Upid"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import type { ProxmoxError } from "@felhom/proxmox/ProxmoxError"
import { type ForeignTask } from "@felhom/proxmox/TaskError"
import { TaskWaiter } from "@felhom/proxmox/TaskWaiter"
import { Effect } from "effect"
import { patiently } from "./Patience.ts"

/** What came of a start: it runs, it surely does not, or nobody can tell. */
export type Started =
  | { readonly start: "runs"; readonly upid: Upid | null }
  | { readonly start: "failed"; readonly why: string; readonly upid: Upid | null }
  | { readonly start: "unknown"; readonly why: string; readonly upid: Upid | null }

/** An empty or broken guest ends within a moment of its start. */
const settling = "5 seconds"

type Needs = ProxmoxClient | TaskWaiter

const runs = (ref: GuestRef): Effect.Effect<boolean, ProxmoxError, ProxmoxClient> =>
  Effect.flatMap(
    ProxmoxClient,
    (client) => Effect.map(patiently(client.guestStatus(ref)), ({ status }) => status === "running")
  )

/** `OK` of the start is the task's word; the guest itself has to run, and still to run a moment later. */
const seenRunning = (
  ref: GuestRef,
  upid: Upid | null,
  otherwise: string
): Effect.Effect<Started, ProxmoxError, Needs> =>
  Effect.gen(function*() {
    yield* Effect.sleep(settling)
    return (yield* runs(ref)) ? { start: "runs", upid } : { start: "failed", why: otherwise, upid }
  })

/** A call that was given up may still be on its way. */
const onItsWay = "30 seconds"

const unanswered = (
  ref: GuestRef,
  { message }: ProxmoxError
): Effect.Effect<Started, ProxmoxError, Needs> =>
  Effect.zipRight(Effect.sleep(onItsWay), runs(ref)).pipe(
    Effect.map((up): Started => (up ? { start: "runs", upid: null } : { start: "unknown", why: message, upid: null }))
  )

const ended = (ref: GuestRef, upid: Upid): Effect.Effect<Started, ProxmoxError | ForeignTask, Needs> =>
  Effect.gen(function*() {
    const outcome = yield* (yield* TaskWaiter).wait(upid)
    switch (outcome._tag) {
      case "failed":
        return { start: "failed", why: outcome.exitStatus, upid }
      case "unknown":
        return (yield* runs(ref)) ? { start: "runs", upid } : { start: "unknown", why: outcome.reason, upid }
      case "ok":
      case "warnings":
        return yield* seenRunning(ref, upid, "it ended by itself right after its start")
    }
  })

const asked = (ref: GuestRef): Effect.Effect<Started, ProxmoxError | ForeignTask, Needs> =>
  Effect.gen(function*() {
    const client = yield* ProxmoxClient
    return yield* Effect.matchEffect(client.start(ref), {
      onSuccess: (upid) => ended(ref, upid),
      onFailure: (error): Effect.Effect<Started, ProxmoxError, Needs> =>
        error.reason === "outcome-unknown"
          ? unanswered(ref, error)
          : error.reason === "wrong-state"
          ? seenRunning(ref, null, error.message)
          : Effect.succeed({ start: "failed", why: error.message, upid: null })
    })
  })

/** Starts it, or finds it started, and says whether it runs. Never sent twice: a guest that runs already refuses the second. */
export const firstStart = (ref: GuestRef): Effect.Effect<Started, never, Needs> =>
  Effect.flatMap(
    runs(ref),
    (up) => up ? seenRunning(ref, null, "it ended by itself right after its start") : asked(ref)
  ).pipe(
    Effect.catchAll(({ message }) => Effect.succeed<Started>({ start: "unknown", why: message, upid: null }))
  )

/** Asks it to shut down, no more; what it has to say where it does not. */
export const restAgain = (ref: GuestRef): Effect.Effect<string | undefined, never, Needs> =>
  Effect.gen(function*() {
    const client = yield* ProxmoxClient
    const outcome = yield* Effect.flatMap(client.shutdown(ref), (yield* TaskWaiter).wait)
    return outcome._tag === "ok" || outcome._tag === "warnings"
      ? undefined
      : outcome._tag === "failed"
      ? outcome.exitStatus
      : outcome.reason
  }).pipe(Effect.catchAll(({ message }) => Effect.succeed(message)))
