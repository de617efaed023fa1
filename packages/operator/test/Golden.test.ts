import { NodeContext } from "@effect/platform-node"
import { describe, it } from "@effect/vitest"
import {
  encodeGolden,
  type GoldenManifest,
  GoldenName,
  goldenNamespace,
  goldenType
} from "@felhom/domain/GoldenManifest"
import { HostId } from "@felhom/domain/HostId"
import { Volid } from "@felhom/domain/ProxmoxId"
import { Sha256Hex } from "@felhom/domain/Sha256"
import { EpochMillis } from "@felhom/domain/Time"
import { Input } from "@felhom/operator/Input"
import { run } from "@felhom/operator/OperatorCli"
import { IsTerminal } from "@felhom/operator/Root"
import { signedWith } from "@felhom/operator/SshKeygen"
import { ConfigProvider, Effect, Redacted, Schema } from "effect"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { expect } from "vitest"
import { makeKey, noSshKeygen } from "./OpWorld.ts"
import { folder } from "./TrustWorld.ts"

const test = noSshKeygen ? it.scopedLive.skip : it.scopedLive

const manifest: GoldenManifest = {
  typ: goldenType,
  name: GoldenName.make("debian-13"),
  version: 2,
  volid: Volid.make("local:backup/vzdump-lxc-100-2026_01_01-00_00_00.tar.zst"),
  size: 3 * 1024 ** 3,
  bytes: { sha256: Sha256Hex.make("a".repeat(64)) },
  config: "arch: amd64\nfeatures: keyctl=1,nesting=1\n#\u001b[31mred\n",
  template: "local:vztmpl/debian-13_1_amd64.tar.zst",
  host: HostId.make("1".repeat(32)),
  builtAt: EpochMillis.make(1_800_000_000_000)
}

/** An operator's machine without any hub; what is typed comes from `types`. */
const desk = Effect.gen(function*() {
  const home = yield* folder
  const felhom = (args: ReadonlyArray<string>, types = "") =>
    Effect.gen(function*() {
      const written: Array<string> = []
      const console = yield* Effect.console
      const write = (...texts: ReadonlyArray<unknown>) => Effect.sync(() => written.push(...texts.map(String)))
      const code = yield* run(["node", "felhom.js", ...args]).pipe(
        Effect.withConsole({ ...console, log: write, error: write }),
        Effect.withConfigProvider(ConfigProvider.fromMap(new Map([["HOME", home]])))
      )
      return { code, said: written.join("\n") }
    }).pipe(
      Effect.provideService(IsTerminal, false),
      Effect.provideService(Input, {
        secret: () => Effect.succeed(Redacted.make("")),
        line: () => Effect.succeed(types)
      }),
      Effect.provide(NodeContext.layer)
    )
  const draft = join(home, "debian-13.json")
  writeFileSync(draft, encodeGolden(manifest))
  return { home, felhom, draft, anna: makeKey(home, "anna"), ben: makeKey(home, "ben") }
})

const Signed = Schema.parseJson(Schema.Struct({ payload: Schema.String, signatures: Schema.Array(Schema.String) }))
const signedIn = (path: string) => Schema.decodeUnknownSync(Signed)(readFileSync(path, "utf8"))

describe("felhom golden", () => {
  test("shows all of a manifest before it is signed, and signs nothing else than what was shown", () =>
    Effect.gen(function*() {
      const { anna, draft, felhom } = yield* desk
      const { code, said } = yield* felhom(["golden", "sign", draft, "--key", anna], "debian-13 2")
      expect([code, said]).toEqual([0, expect.stringContaining("signed debian-13 version 2 with SHA256:")])
      for (
        const shown of [
          "NEW GUESTS of every host that accepts this are made from debian-13 version 2.",
          `"${manifest.volid}"`,
          "3.0 GiB (3221225472 bytes)",
          "a".repeat(64),
          "features: keyctl=1,nesting=1",
          "2027-01-15 08:00 UTC"
        ]
      ) expect(said).toContain(shown)
      expect(said).not.toContain("\u001b")
      const signed = signedIn(`${draft}.signed`)
      expect(Buffer.from(signed.payload, "base64").equals(Buffer.from(encodeGolden(manifest)))).toBe(true)
      expect(yield* Effect.either(signedWith(signed.signatures[0] ?? "", encodeGolden(manifest), goldenNamespace)))
        .toMatchObject({ _tag: "Right" })
      expect(yield* Effect.either(signedWith(signed.signatures[0] ?? "", encodeGolden(manifest), "op.v1@felhom.eu")))
        .toMatchObject({ _tag: "Left" })
    }))

  test("lets a second operator sign the same bytes, and nobody twice", () =>
    Effect.gen(function*() {
      const { anna, ben, draft, felhom } = yield* desk
      yield* felhom(["golden", "sign", draft, "--key", anna, "--yes-i-mean", "debian-13 2"])
      const signed = `${draft}.signed`
      const again = yield* felhom(["golden", "sign", signed, "--key", anna, "--yes-i-mean", "debian-13 2"])
      expect([again.code, again.said]).toEqual([2, expect.stringContaining("has signed it already")])
      expect((yield* felhom(["golden", "sign", signed, "--key", ben, "--yes-i-mean", "debian-13 2"])).code).toBe(0)
      expect(signedIn(signed).signatures).toHaveLength(2)
      const shown = yield* felhom(["golden", "show", signed, "--output", "json"])
      expect(JSON.parse(shown.said)).toMatchObject({
        manifest: { name: "debian-13" },
        keys: [/^SHA256:/, /^SHA256:/].map((form) => expect.stringMatching(form))
      })
      expect((yield* felhom(["golden", "show", draft])).said).toContain("signed by    nobody")
    }))

  test("signs nothing that was not confirmed, is no manifest, or was changed after the host wrote it", () =>
    Effect.gen(function*() {
      const { anna, draft, felhom, home } = yield* desk
      const refused = (file: string, types = "debian-13 2") =>
        Effect.map(felhom(["golden", "sign", file, "--key", anna], types), ({ code, said }) => `${code} ${said}`)
      expect(yield* refused(draft, "debian-13 1")).toContain(
        "nothing was signed: \"debian-13 1\" is not \"debian-13 2\""
      )
      const write = (name: string, text: string): string => {
        writeFileSync(join(home, name), text)
        return join(home, name)
      }
      const whole = readFileSync(draft, "utf8")
      expect(yield* refused(join(home, "gone"))).toMatch(/^2 .*gone: it can't be read/s)
      expect(yield* refused(write("none", "no manifest"))).toContain("it is no felhom/golden/v1: character 0")
      expect(yield* refused(write("pretty", JSON.stringify(manifest, null, 2)))).toContain(
        "it was written anew by another program, or edited"
      )
      expect(yield* refused(write("long", `${whole}${" ".repeat(300_000)}`))).toContain(
        "it is longer than 262144 bytes"
      )
      expect(yield* refused(write("odd", `{"payload":"%","signatures":[]}`))).toContain("its payload: it is not base64")
      const payload = Buffer.from(whole).toString("base64")
      expect(yield* refused(write("forged", JSON.stringify({ payload, signatures: ["no signature"] })))).toContain(
        "this signature would be refused by every host"
      )
      expect(existsSync(`${draft}.signed`)).toBe(false)
    }))

  test("says in so many words that nobody could read the bytes", () =>
    Effect.gen(function*() {
      const { felhom, home } = yield* desk
      const path = join(home, "unread.json")
      writeFileSync(path, encodeGolden({ ...manifest, size: 1024 ** 2, bytes: { unread: "pbs keeps no file" } }))
      const { said } = yield* felhom(["golden", "show", path])
      expect(said).toContain("SHA-256      NONE: nobody could read its bytes: pbs keeps no file")
      expect(said).toContain("1.0 MiB (1048576 bytes)")
    }))
})
