import { planted as mandateReused } from "./MandateReused.ts"
import { planted as noHostCheck } from "./NoHostCheck.ts"
import { planted as nonceAfterEffect } from "./NonceAfterEffect.ts"
import { planted as ownershipByName } from "./OwnershipByName.ts"
import type { Planted } from "./Planted.ts"
import { planted as presenceNotChecked } from "./PresenceNotChecked.ts"
import { planted as reservedAccepted } from "./ReservedAccepted.ts"
import { planted as versionNotAbove } from "./VersionNotAbove.ts"

/** Faults in what decides; those in how files are written are in packages/durable/test/planted. */
export const faults: ReadonlyArray<Planted> = [
  nonceAfterEffect,
  noHostCheck,
  presenceNotChecked,
  reservedAccepted,
  versionNotAbove,
  mandateReused,
  ownershipByName
]
