import { describe, it } from "@effect/vitest"
import { Ed25519 } from "@felhom/domain/port/Ed25519"
import { publicKeyBlob, signSshsig, writeArmor } from "@felhom/domain/Sshsig"
import { layer as ed25519 } from "@felhom/node/NodeEd25519"
import { Effect, Encoding } from "effect"
import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect } from "vitest"

const felhom = join(import.meta.dirname, "../../../dist/felhom.js")
const namespace = "op.v1@felhom.eu"
const message = "what was signed\n"

/** A folder with a signature by anna, and who may sign; and the command in it, as a shell would run it. */
const desk = Effect.gen(function*() {
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "felhom-verify-"))),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
  )
  const key = yield* Effect.flatMap(Ed25519, (curve) => curve.generate)
  const keyText = `ssh-ed25519 ${Encoding.encodeBase64(publicKeyBlob(key.publicKey))}`
  const blob = yield* signSshsig(key, namespace, new TextEncoder().encode(message))
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text)
  write("signature", writeArmor(blob))
  write("signers", `# ours\nanna valid-before="20270101Z" ${keyText}\n`)
  write("revoked", `${keyText}\n`)
  write("broken", `anna ${keyText}\nnot a signer\n`)
  const verify = (changed: { readonly [option: string]: string | undefined } = {}, input = message) => {
    const usual = { "allowed-signers": "signers", principal: "anna", namespace, signature: "signature" }
    const options = Object.entries({ ...usual, time: "20260601120000Z", ...changed })
    const args = options.flatMap(([option, value]) => (value === undefined ? [] : [`--${option}`, value]))
    const { status, stderr, stdout } = spawnSync(process.execPath, [felhom, "verify", ...args], {
      cwd: folder,
      input,
      encoding: "utf8",
      env: {}
    })
    return { status, stdout, stderr }
  }
  return verify
}).pipe(Effect.provide(ed25519))

describe("felhom verify", () => {
  it.scopedLive("ends with 0 when the signature counts, and says whose it is", () =>
    Effect.gen(function*() {
      const verify = yield* desk
      const { status, stdout } = verify()
      expect(status).toBe(0)
      expect(stdout).toMatch(/^accepted: signed by anna with ssh-ed25519 SHA256:\S+, line 2 of the allowed signers\n$/)
      const json = verify({ output: "json" })
      expect(JSON.parse(json.stdout)).toMatchObject({ verdict: "accepted", principal: "anna", lines: [2] })
    }))

  it.scopedLive("ends with 1 when it does not, and says why", () =>
    Effect.gen(function*() {
      const verify = yield* desk
      const refusals = [
        ["signature", verify({}, "what was not signed\n")],
        ["principal", verify({ principal: "ben" })],
        ["namespace", verify({ namespace: "file" })],
        ["expired", verify({ time: "20280101000000Z" })],
        ["revoked", verify({ revoked: "revoked" })],
        ["revocations", verify({ revoked: "not-there" })],
        ["signers", verify({ "allowed-signers": "broken" })],
        ["armor", verify({ signature: "signers" })]
      ] as const
      for (const [reason, { status, stderr }] of refusals) {
        expect([status, stderr]).toEqual([1, expect.stringMatching(new RegExp(`^refused \\(${reason}\\): .*; .*\n$`))])
      }
      const json = verify({ output: "json", principal: "ben" })
      expect([json.status, JSON.parse(json.stdout)]).toEqual([
        1,
        { verdict: "refused", reason: "principal", message: expect.any(String) }
      ])
    }))

  it.scopedLive("ends with 2 when it is not told what to check, or can't read it", () =>
    Effect.gen(function*() {
      const verify = yield* desk
      expect(verify({ principal: undefined }).status).toBe(2)
      for (const wrong of [{ time: "tomorrow" }, { signature: "not-there" }, { "allowed-signers": "not-there" }]) {
        const { status, stderr } = verify(wrong)
        expect([status, stderr]).toEqual([2, expect.stringContaining(Object.values(wrong).join())])
      }
    }))
})
