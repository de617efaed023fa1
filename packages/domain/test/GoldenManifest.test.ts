import { describe, it } from "@effect/vitest"
import {
  decodeGolden,
  encodeGolden,
  type GoldenManifest,
  GoldenName,
  goldenType,
  GoldenVersion
} from "@felhom/domain/GoldenManifest"
import { HostId } from "@felhom/domain/HostId"
import { Volid } from "@felhom/domain/ProxmoxId"
import { Sha256Hex } from "@felhom/domain/Sha256"
import { EpochMillis } from "@felhom/domain/Time"
import { Either, FastCheck as fc, Schema } from "effect"
import { expect } from "vitest"

const manifest: GoldenManifest = {
  typ: goldenType,
  name: GoldenName.make("debian-13"),
  version: 3,
  volid: Volid.make("local:backup/vzdump-lxc-100-2026_01_01-00_00_00.tar.zst"),
  size: 123_456_789,
  bytes: { sha256: Sha256Hex.make("a".repeat(64)) },
  config: "arch: amd64\nfeatures: keyctl=1,nesting=1\n",
  template: "local:vztmpl/debian-13-felhom_1.0-1_amd64.tar.zst",
  host: HostId.make("1".repeat(32)),
  builtAt: EpochMillis.make(1_800_000_000_000)
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const whole = new TextDecoder().decode(encodeGolden(manifest))
const why = (text: string): string =>
  Either.match(decodeGolden(bytes(text)), { onLeft: ({ message }) => message, onRight: () => "accepted" })
const changed = (change: object): string => `${JSON.stringify({ ...manifest, ...change })}\n`

describe("a golden image's manifest", () => {
  it("reads back to itself, with the hash of its bytes or why nobody read them", () => {
    for (const one of [manifest, { ...manifest, bytes: { unread: "pbs keeps no files of this host" } }]) {
      expect(decodeGolden(encodeGolden(one))).toEqual(Either.right(one))
    }
  })

  it("has one text: what says the same in other bytes is refused", () => {
    expect(why(whole)).toBe("accepted")
    for (
      const other of [
        whole.trimEnd(),
        `${whole}\n`,
        whole.replace("{", "{ "),
        `\ufeff${whole}`,
        whole.replace("debian", "\\u0064ebian")
      ]
    ) {
      expect(why(other), JSON.stringify(other)).not.toBe("accepted")
    }
    const { typ, ...rest } = manifest
    expect(why(`${JSON.stringify({ ...rest, typ })}\n`)).toBe(
      "it is no felhom/golden/v1: it was written anew by another program, or edited; " +
        "take the manifest as felhom-agent golden draft prints it, and sign that"
    )
  })

  it("is closed, and each part of it is bounded", () => {
    const refusals: ReadonlyArray<readonly [change: object, part: string]> = [
      [{ more: 1 }, "more: "],
      [{ typ: "felhom/golden/v2" }, "typ: "],
      [{ name: "Debian 13" }, "name: a golden image's name has 1 to 32 lower-case letters"],
      [{ name: "-x" }, "name: "],
      [{ version: 0 }, "version: a golden image's version is 1 to 1000000"],
      [{ volid: "local:vztmpl/debian.tar.zst" }, "volid: an archive reads STORAGE:backup/FILE"],
      [{ volid: "local:backup/../../etc/shadow" }, "volid: "],
      [{ volid: "local:backup/a//b" }, "volid: "],
      [{ volid: "local:backup/a b" }, "volid: "],
      [{ size: 0 }, "size: "],
      [{ bytes: {} }, "bytes"],
      [{ bytes: { sha256: "A".repeat(64) } }, "bytes"],
      [{ bytes: { unread: "" } }, "bytes"],
      [{ bytes: { sha256: "a".repeat(64), unread: "both" } }, "bytes"],
      [{ config: "" }, "config: "],
      [{ config: "x\0" }, "config: a configuration holds no NUL"],
      [{ config: "x".repeat(16 * 1024 + 1) }, "config: "],
      [{ template: "local:backup/x" }, "template: a template reads STORAGE:vztmpl/FILE"],
      [{ host: "attic" }, "host: "],
      [{ builtAt: -1 }, "builtAt: "]
    ]
    for (const [change, part] of refusals) expect(why(changed(change)), JSON.stringify(change)).toContain(part)
  })

  it("is read strictly: no second key, no other kind of number, nothing that is too long", () => {
    expect(why(whole.replace("\"version\":3", "\"version\":3,\"version\":4"))).toContain(
      "it is no felhom/golden/v1: character"
    )
    expect(why(whole.replace("\"version\":3", "\"version\":3.0"))).not.toBe("accepted")
    expect(why("x".repeat(70_000))).toContain("it is no felhom/golden/v1: ")
    expect(why("")).toContain("it is no felhom/golden/v1: ")
  })

  it("with one byte off is refused, or says something else", () => {
    const good = encodeGolden(manifest)
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const bad = Uint8Array.from(good)
        bad[at] = (bad[at] ?? 0) ^ flip
        const read = decodeGolden(bad)
        if (Either.isRight(read)) expect(read.right).not.toEqual(manifest)
      }),
      { numRuns: 500 }
    )
  })
})

it("a golden image's name and version are what a command line and a policy can say", () => {
  const isName = Schema.is(GoldenName)
  expect(["a", "debian-13", "x".repeat(32)].every(isName)).toBe(true)
  expect(["", "-", "A", "a_b", "a.b", "a/b", "x".repeat(33), "a-", "a\n"].some(isName)).toBe(false)
  const isVersion = Schema.is(GoldenVersion)
  expect([1, 1_000_000].every(isVersion)).toBe(true)
  expect([0, -1, 1.5, 1_000_001].some(isVersion)).toBe(false)
})
