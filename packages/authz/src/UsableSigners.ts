import type { SignatureCrypto } from "@felhom/domain/port/SignatureCrypto"
import { Effect } from "effect"
import { onlyName } from "./PatternList.ts"
import { isRevoked } from "./RevocationList.ts"
import { type Judgement, objection } from "./VerifySignature.ts"

/**
 * The plain names on an allow-list that could sign now, for the namespace: as `verifyThreshold` counts them. Whether a security
 * key asks for a PIN can't be told from its public key.
 */
export const usableSigners = (
  { at, demands, namespace, revoked, signers }: Omit<Judgement, "message">
): Effect.Effect<ReadonlySet<string>, never, SignatureCrypto> =>
  Effect.gen(function*() {
    const usable = new Set<string>()
    for (const { key } of signers.signers) {
      const lines = signers.withKey(key.blob)
      const names = new Set(lines.map(({ principals }) => onlyName(principals)))
      const [name] = names
      if (names.size !== 1 || name === undefined) continue
      if (lines.every((line) => objection(line, namespace, at) !== undefined)) continue
      if (!demands.softwareKeys && key.application === undefined) continue
      if (!(yield* isRevoked(revoked, key.blob))) usable.add(name)
    }
    return usable
  })
