import { Either } from "effect"
import { rawText } from "./Finding.ts"
import { identityText } from "./Matching.ts"
import { type ObservedGuest, spokenRef } from "./ObservedHost.ts"
import type { BenignStep } from "./PlanStep.ts"

/** What was read anew, just before the call. */
export interface Fresh {
  /** The guest under the step's number; undefined where there is none, or for one that is still to be made. */
  readonly guest: ObservedGuest | undefined
  /** Keys of guests that the host has on record as made. */
  readonly keys: ReadonlySet<string>
}

const guestUnmet = ({ guest: { identity, type }, precondition }: BenignStep, fresh: ObservedGuest) => {
  const who = spokenRef(fresh.ref)
  if (identityText(type, identity) !== identityText(fresh.ref.type, fresh.identity)) {
    return `${who} is another guest now`
  }
  if (fresh.lock !== null) return `Proxmox VE holds ${who} locked (${fresh.lock})`
  const { before, memoryBelow, status } = precondition
  if (status !== undefined && fresh.status !== status) return `${who} is ${fresh.status} now, and not ${status}`
  if (before !== undefined && rawText(fresh.merged[before.key]) !== before.text) {
    return `somebody has changed ${before.key} of ${who}`
  }
  return memoryBelow !== undefined && fresh.status !== "stopped" &&
      (fresh.memoryUsed === null || fresh.memoryUsed > memoryBelow)
    ? `${who} uses more memory now than its new limit leaves room for`
    : undefined
}

/**
 * Whether the step's precondition still holds, and then the digest to send with the change, so that nobody can write in between;
 * a sentence says why it does not. Another digest than the plan's alone is no reason: each lock and each change of another key
 * makes one (platform-facts 5.9).
 */
export const checkPrecondition = (
  step: BenignStep,
  { guest, keys }: Fresh
): Either.Either<{ readonly digest: string | null }, string> => {
  const { absent } = step.precondition
  if (absent !== undefined) {
    return keys.has(absent) ? Either.left("this host has made it already") : Either.right({ digest: null })
  }
  if (guest === undefined) return Either.left("the guest is not there any more")
  const unmet = guestUnmet(step, guest)
  return unmet === undefined ? Either.right({ digest: rawText(guest.merged["digest"]) }) : Either.left(unmet)
}
