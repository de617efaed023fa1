import { formatGuestRef } from "@felhom/domain/ProxmoxId"
import { spokenRef, spokenType } from "./ObservedHost.ts"
import type { PlanStep, StepGuest } from "./PlanStep.ts"

/** `CT 101 (web)`, `new CT (web)`. Names are as they come: show it through `displayText`. */
export const guestWords = ({ identity, name, ref, type }: StepGuest): string => {
  const called = name === null ? "" : ` (${name})`
  return ref === null
    ? `${identity.key === null ? "a" : "new"} ${spokenType[type]}${called}`
    : `${spokenRef(ref)}${called}`
}

/** What the step does: `start`, `change cores`. */
export const stepWords = (step: PlanStep): string => {
  if (step.class === "needs-signature") return "is not wished for"
  if (step.class === "not-possible") return `${step.what === null ? "" : `${step.what} `}can't be as wished`
  const { action } = step
  switch (action.kind) {
    case "guest.shutdown":
      return "shut down"
    case "guest.start":
      return "start"
    case "guest.make":
      return "make"
    case "volume.grow":
      return `grow ${action.volume}`
    case "config.set":
    case "config.clear":
      return `change ${action.key}`
  }
}

/** `: 1 -> 2`; nothing where neither is said. */
export const valueWords = ({ new: wished, old }: PlanStep, shown: (text: string) => string): string =>
  old === null && wished === null
    ? ""
    : `: ${old === null ? "(none)" : shown(old)} -> ${wished === null ? "(none)" : shown(wished)}`

/** What events and reports call the guest of a step: `lxc/101`, `new KEY`, or null for one that is not found. */
export const stepSubject = ({ identity: { key }, ref }: StepGuest): string | null =>
  ref !== null ? formatGuestRef(ref) : key !== null ? `new ${key}` : null
