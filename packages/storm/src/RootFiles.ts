import { places } from "./Agent.ts"
import { images } from "./Home.ts"
import type { Say } from "./Ledger.ts"
import { allowList, type Name, names, revocations } from "./Operators.ts"
import type { Stage } from "./Stage.ts"

const utf8 = new TextEncoder()
const named = (some: ReadonlySet<string>): ReadonlyArray<Name> => names.filter((name) => some.has(name))

/** An allow-list with them on it. */
export const allowedText = (allowed: ReadonlySet<string>): string => allowList(named(allowed))

/** A list of revoked keys with theirs on it. */
export const revokedText = (revoked: ReadonlySet<string>): string => revocations(named(revoked))

/** A policy that wants so many signers. */
export const policyText = (threshold: number): string =>
  JSON.stringify({
    typ: "felhom/policy/v1",
    signatures: { threshold },
    desired: { storages: ["local", "thin"], bridges: ["vmbr0"], images }
  })

/** Root's files as they are to be from now on. */
export const ruled = (stage: Stage, changed: Partial<Say>): void => {
  stage.ledger.ruled({ root: changed })
  const { allowed, revoked, threshold } = stage.ledger.root
  stage.disk.put(places.signers.allowed, utf8.encode(allowedText(allowed)))
  stage.disk.put(places.signers.revoked.path, utf8.encode(revokedText(revoked)))
  stage.disk.put(places.policyFile, utf8.encode(policyText(threshold)))
}
