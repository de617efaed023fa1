import { describe, it } from "@effect/vitest"
import { trustChecks } from "@felhom/agent/doctor/TrustChecks"
import { DurableFile } from "@felhom/domain/port/DurableFile"
import * as NodeCrypto from "@felhom/node/NodeCrypto"
import { Effect, Layer, Option } from "effect"
import { expect } from "vitest"

const files = {
  policyFile: "/policy.json",
  signers: { allowed: "/allowed_signers", revoked: { path: "/revoked_keys", required: false } },
  stateDirectory: "/state"
}
const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKFNRfYRZQVp3f9HGyRsCWzjKpnAqU3OPh2sHqbDFdLf"

const found = (there: { readonly [path: string]: string }) =>
  Effect.map(trustChecks(files), (all) => all.map(({ detail, name, outcome }) => `${outcome} ${name}: ${detail}`)).pipe(
    Effect.provide([
      Layer.mock(DurableFile, {
        read: (path) =>
          Effect.sync(() => Option.map(Option.fromNullable(there[path]), (text) => new TextEncoder().encode(text)))
      }),
      NodeCrypto.layer
    ])
  )

describe("the doctor, on who may sign", () => {
  it.effect("finds a good policy and list fine, and a host without them worth knowing", () =>
    Effect.gen(function*() {
      const good = yield* found({
        "/policy.json": "{\"typ\":\"felhom/policy/v1\"}",
        "/allowed_signers": `anna ${key}\n`
      })
      expect(good).toEqual([
        "passed policy: /policy.json: 1 signer, unless an op has its own rule",
        "passed signers: /allowed_signers: 1 may sign"
      ])
      expect((yield* found({})).map((line) => line.split(" ")[0])).toEqual(["note", "note"])
    }))

  it.effect("has a key that no version knows, a bad line and a bad revocation list mended", () =>
    Effect.gen(function*() {
      const bad = yield* found({
        "/policy.json": "{\"typ\":\"felhom/policy/v1\",\"more\":1}",
        "/allowed_signers": "anna\n"
      })
      expect(bad[0]).toContain("failed policy: /policy.json: it is no policy")
      expect(bad[1]).toContain("failed signers: /allowed_signers: line 1")
      const revoked = yield* found({ "/allowed_signers": `anna ${key}\n`, "/revoked_keys": "no key" })
      expect(revoked[1]).toContain("nobody's signature counts")
    }))
})
