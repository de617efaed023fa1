import { describe, it } from "@effect/vitest"
import { readAllowedSigners } from "@felhom/authz/AllowedSigners"
import { readRevocationList } from "@felhom/authz/RevocationList"
import { usableSigners } from "@felhom/authz/UsableSigners"
import { usualDemands } from "@felhom/authz/VerifySignature"
import { concatBytes, sshString } from "@felhom/domain/SshWire"
import { Effect, Encoding } from "effect"
import { expect } from "vitest"
import { bytes, crypto, keyText, namespace, newKey } from "./Signing.ts"
import { momentOf } from "./Vectors.ts"

const tokenKey = "sk-ssh-ed25519@openssh.com"
const token = `${tokenKey} ${
  Encoding.encodeBase64(
    concatBytes([sshString(tokenKey), sshString(new Uint8Array(32).fill(9)), sshString("ssh:")])
  )
}`

describe("those who could sign now", () => {
  it.effect("are the plain names with a key that holds, is not revoked and is nobody else's", () =>
    Effect.gen(function*() {
      const keys = yield* Effect.forEach(Array.from({ length: 7 }), () => Effect.map(newKey, keyText))
      const [anna, hal, shared, wild, expired, elsewhere, revoked] = keys
      const rules = {
        namespace,
        at: momentOf("20260601120000Z"),
        signers: yield* readAllowedSigners(bytes([
          `anna ${anna}`,
          `hal valid-before="20200101Z" ${hal}`,
          `hal ${hal}`,
          `ben ${shared}`,
          `carl ${shared}`,
          `d* ${wild}`,
          `eve valid-before="20260101Z" ${expired}`,
          `fay namespaces="signers.v1@felhom.eu" ${elsewhere}`,
          `gus ${revoked}`,
          `token ${token}`
        ].join("\n"))),
        revoked: yield* readRevocationList(bytes(`${revoked}\n`)),
        demands: usualDemands
      }
      const namesBy = (changed: Partial<typeof rules>) =>
        Effect.map(usableSigners({ ...rules, ...changed }), (names) => [...names].sort())
      expect(yield* namesBy({})).toEqual(["anna", "hal", "token"])
      expect(yield* namesBy({ demands: { ...usualDemands, softwareKeys: false } })).toEqual(["token"])
      expect(yield* namesBy({ namespace: "signers.v1@felhom.eu" })).toEqual(["anna", "fay", "hal", "token"])
      expect(yield* namesBy({ at: momentOf("20250601120000Z") })).toEqual(["anna", "eve", "hal", "token"])
    }).pipe(Effect.provide(crypto)))
})
