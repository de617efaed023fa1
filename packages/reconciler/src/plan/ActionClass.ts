import type { OpName } from "@felhom/domain/SignedOp"
import { type ConfigDecision, decideKey } from "./ConfigKey.ts"
import { bridgeOf } from "./NetworkCard.ts"
import type { Action, StepGuest } from "./PlanStep.ts"

/** Every op takes what its name says: operators' signatures. A new one that is missing here does not compile. */
const signedOps: { readonly [op in OpName]: "needs-signature" } = {
  "guest.destroy": "needs-signature",
  "guest.rollback": "needs-signature",
  "snapshot.delete": "needs-signature",
  "backup.delete": "needs-signature",
  "backup.unprotect": "needs-signature",
  "guest.stop_hard": "needs-signature",
  "volume.delete": "needs-signature",
  "storage.remove": "needs-signature",
  "signers.update": "needs-signature",
  "policy.widen": "needs-signature",
  "desired.accept_epoch": "needs-signature",
  "store.reanchor": "needs-signature",
  "hold.release": "needs-signature"
}

/** What may be asked for: what a plan can have done, and what takes a signed op. */
export type AskedAction = Action | { readonly kind: OpName }

const isOp = (action: AskedAction): action is { readonly kind: OpName } => Object.hasOwn(signedOps, action.kind)

const worst = (decisions: ReadonlyArray<ConfigDecision>): ConfigDecision =>
  decisions.includes("never") ? "never" : decisions.includes("needs-signature") ? "needs-signature" : "benign"

/** Whose word an action takes (protocol 4). Total: an action without a class does not compile. */
export const actionClass = (action: AskedAction, { type }: Pick<StepGuest, "type">): ConfigDecision => {
  if (isOp(action)) return signedOps[action.kind]
  switch (action.kind) {
    case "guest.start":
    case "guest.shutdown":
    case "volume.grow":
      return "benign"
    case "guest.make":
      return worst([
        ...action.settings.map(([key, text]) => decideKey({ type, key, text })),
        ...Object.entries(action.cards).map(([key, text]) => decideKey({ type, key, text }))
      ])
    case "config.set":
      return decideKey({ type, key: action.key, text: action.text })
    case "config.clear":
      return decideKey({ type, key: action.key, text: null })
  }
}

const isCard = (key: string): boolean => /^net\d+$/.test(key)

/** Whether whoever uses the guest may notice: then it waits for a window, where the policy has any. */
export const disturbs = (action: Action): boolean => {
  switch (action.kind) {
    case "guest.shutdown":
      return true
    case "config.set":
    case "config.clear":
      return isCard(action.key)
    case "guest.start":
    case "volume.grow":
    case "guest.make":
      return false
  }
}

/** Bridges that cards are put on. */
export const bridgesOf = (action: Action): ReadonlyArray<string> => {
  switch (action.kind) {
    case "config.set":
      return isCard(action.key) ? [bridgeOf(action.text) ?? ""] : []
    case "guest.make":
      return Object.values(action.cards).map((card) => bridgeOf(card) ?? "")
    case "guest.shutdown":
    case "config.clear":
    case "volume.grow":
    case "guest.start":
      return []
  }
}

/** Bytes that it takes of a storage; null where it takes none, `bytes` null where it is not known. */
export const roomOf = (
  action: Action
): { readonly storage: string; readonly bytes: number | null } | null => {
  switch (action.kind) {
    case "volume.grow":
      return { storage: action.storage, bytes: action.by }
    case "guest.make":
      return { storage: action.storage, bytes: action.size }
    case "guest.shutdown":
    case "config.set":
    case "config.clear":
    case "guest.start":
      return null
  }
}
