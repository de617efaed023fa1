import { Effect } from "effect"
import { type Guest, lockOf } from "./Guest.ts"
import { guestOf, type Machine } from "./Machine.ts"
import { TaskFailure } from "./TaskTable.ts"

/** A worker's `die`. */
export const fail = (message: string): TaskFailure => new TaskFailure({ message })

/** The guest as a worker finds it; a missing one is the worker's failure, since the request was accepted without a look. */
export const workOn = (
  machine: Machine,
  target: { readonly type: "lxc" | "qemu"; readonly vmid: number }
): Effect.Effect<Guest, TaskFailure> =>
  guestOf(machine, target.type, target.vmid).pipe(Effect.mapError((failure) => fail(failure.message)))

/** Refuses on any lock (platform-facts 5.8). */
export const checkLock = (guest: Guest): Effect.Effect<void, TaskFailure> =>
  Effect.suspend(() => {
    const lock = lockOf(guest)
    return lock === undefined
      ? Effect.void
      : Effect.fail(fail(`${guest.type === "lxc" ? "CT" : "VM"} is locked (${lock})`))
  })
