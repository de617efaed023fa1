import { describe, expect, it } from "@effect/vitest"
import { parseRanges } from "@felhom/agent/configure/AddressRange"
import { settingIn } from "@felhom/agent/configure/ConfigText"
import { type Answer, type Ask, configure, type ConfigureOptions } from "@felhom/agent/configure/Configure"
import * as HostFiles from "@felhom/agent/configure/HostFiles"
import { lineDiff } from "@felhom/agent/configure/LineDiff"
import * as NameLookup from "@felhom/agent/configure/NameLookup"
import { formatFingerprint } from "@felhom/domain/PeerPin"
import * as TlsIdentity from "@felhom/node/TlsIdentity"
import { Effect, Either, Layer, Option } from "effect"
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"

const pin = "AA".repeat(32)
const configFile = "/etc/felhom-agent/config.json"
const dropIn = "/etc/systemd/system/felhom-agent.service.d/network.conf"

const given = {
  "hub.url": "https://hub.example:8443",
  "hub.fingerprint": pin,
  "proxmox.fingerprint": `spki:${pin}`,
  "proxmox.node": "attic"
} satisfies ConfigureOptions["given"]

/** A host's files below a folder of their own. */
const image = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "felhom-configure-"))),
  (root) => Effect.sync(() => rmSync(root, { recursive: true, force: true }))
)

const put = (path: string, text: string, mode = 0o644) => {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
  chmodSync(path, mode)
}

const names = (addresses: { readonly [name: string]: string }) =>
  Layer.succeed(NameLookup.NameLookup, {
    addresses: (name) => {
      const literal = parseRanges(name)
      const found = addresses[name]
      if (Either.isRight(literal)) return Effect.succeed(literal.right)
      return found === undefined
        ? new NameLookup.NameUnknown({ name, detail: "ENOTFOUND" })
        : Effect.succeed(Either.getOrThrow(parseRanges(found)))
    }
  })

const nobody: Ask<never> = () => Effect.succeedNone

const configured = (
  root: string,
  options: Partial<ConfigureOptions> = {},
  hub = "192.0.2.10 2001:db8::10",
  ask: Ask<never> = nobody
) =>
  configure({ given, root, configFile, hostName: "cellar", dryRun: false, ...options }, ask).pipe(
    Effect.provide([HostFiles.layer, names({ "hub.example": hub })])
  )

describe("configure", () => {
  it.scoped("writes the settings and whom the agent may speak to, by all addresses of the hub's name", () =>
    Effect.gen(function*() {
      const root = yield* image
      put(`${root}/etc/resolv.conf`, "nameserver 192.0.2.53\n")
      const { next, written } = yield* configured(root, {
        given: { ...given, "network.allow": "10.10.10.0/24,192.0.2.20" }
      })
      expect(written).toBe(true)
      expect(JSON.parse(readFileSync(`${root}${configFile}`, "utf8"))).toEqual({
        proxmox: {
          url: "https://127.0.0.1:8006",
          node: "attic",
          fingerprint: [`spki:${pin}`],
          tokenId: "felhom-agent@pve!agent"
        },
        hub: { url: "https://hub.example:8443", fingerprint: [pin] },
        network: { allow: ["10.10.10.0/24", "192.0.2.20"] }
      })
      expect(readFileSync(`${root}${dropIn}`, "utf8").match(/^IPAddressAllow=.*$/gm)).toEqual([
        "IPAddressAllow=192.0.2.10 2001:db8::10",
        "IPAddressAllow=192.0.2.53",
        "IPAddressAllow=10.10.10.0/24 192.0.2.20"
      ])
      const { gid, mode } = statSync(`${root}${configFile}`)
      expect([mode & 0o777, gid]).toEqual([0o640, statSync(dirname(`${root}${configFile}`)).gid])
      expect(statSync(`${root}${dropIn}`).mode & 0o777).toBe(0o644)
      expect(next.join("\n")).toMatch(/proxmox-token[^]*felhom-agent enrol[^]*daemon-reload[^]*felhom-agent doctor$/)
      // Nothing is left beside them.
      expect(readdirSync(dirname(`${root}${configFile}`))).toEqual(["config.json"])
    }))

  it.scoped("keeps what is not asked about, and changes nothing the second time", () =>
    Effect.gen(function*() {
      const root = yield* image
      put(`${root}${configFile}`, JSON.stringify({ logLevel: "debug", proxmox: { tokenFile: "/root/token" } }))
      yield* configured(root)
      expect(JSON.parse(readFileSync(`${root}${configFile}`, "utf8"))).toMatchObject({
        logLevel: "debug",
        proxmox: { tokenFile: "/root/token", node: "attic" }
      })
      const again = yield* configured(root, { given: {} })
      expect([again.changes, again.written]).toEqual([[], false])
      const moved = yield* configured(root, { given: {} }, "192.0.2.11")
      expect(moved.changes.map(({ path }) => path)).toEqual([`${root}${dropIn}`])
    }))

  it.scoped("writes nothing with --dry-run, and shows what it would", () =>
    Effect.gen(function*() {
      const root = yield* image
      const { changes, written } = yield* configured(root, { dryRun: true })
      expect([changes.map(({ path }) => path), written]).toEqual([[`${root}${configFile}`, `${root}${dropIn}`], false])
      expect(existsSync(`${root}/etc`)).toBe(false)
    }))

  it.scoped("pins the key of this host's own certificate, a custom one first", () =>
    Effect.gen(function*() {
      const root = yield* image
      const identity = yield* TlsIdentity.make({ commonName: "cellar", altNames: ["cellar"], days: 30 })
      const { "proxmox.fingerprint": _, ...rest } = given
      put(`${root}/etc/pve/local/pve-ssl.pem`, "not a certificate")
      put(`${root}/etc/pve/local/pveproxy-ssl.pem`, identity.certificatePem)
      yield* configured(root, { given: rest })
      expect(settingIn(readFileSync(`${root}${configFile}`, "utf8"), "proxmox.fingerprint")).toBe(
        `spki:${formatFingerprint(identity.spkiSha256)}`
      )
    }))

  it.scoped("touches no file when one setting is missing or wrong, and tells of all of them", () =>
    Effect.gen(function*() {
      const root = yield* image
      const missing = yield* Effect.flip(configured(root, { given: {} }))
      expect(missing.message.split("\n").map((line) => line.split(" ")[0])).toEqual([
        "proxmox.fingerprint",
        "hub.url",
        "hub.fingerprint"
      ])
      const wrong = yield* Effect.flip(
        configured(root, { given: { ...given, "hub.url": "http://hub.example", "network.allow": "hub.example" } })
      )
      expect(wrong.message).toMatch(/must begin with https:\/\/[^]*no address or network/)
      const unknown = yield* Effect.flip(
        configured(root, { given: { ...given, "hub.url": "https://nowhere.example" } })
      )
      expect(unknown.message).toContain("nowhere.example has no address")
      expect(existsSync(`${root}/etc`)).toBe(false)
    }))

  it.scoped("leaves a file alone that holds a secret or is not JSON, and does not repeat the secret", () =>
    Effect.gen(function*() {
      const root = yield* image
      const secret = JSON.stringify({ proxmox: { token: "s3cret" } })
      for (const text of [secret, "{ not json", "[]"]) {
        put(`${root}${configFile}`, text)
        const { message } = yield* Effect.flip(configured(root))
        expect(message).toContain(`${root}${configFile}: `)
        expect(message).not.toContain("s3cret")
        expect(readFileSync(`${root}${configFile}`, "utf8")).toBe(text)
      }
    }))

  it.scoped("asks for what no flag gives, and offers what stands there", () =>
    Effect.gen(function*() {
      const root = yield* image
      const asked: Array<readonly [Answer, string | undefined]> = []
      const ask: Ask<never> = (place, _words, offered) =>
        Effect.sync(() => {
          asked.push([place, offered])
          return place === "proxmox.fingerprint" ? Option.some(pin) : Option.fromNullable(offered)
        })
      const { "proxmox.fingerprint": _, "proxmox.node": __, ...rest } = given
      yield* configured(root, { given: rest }, undefined, ask)
      expect(asked).toEqual([
        ["proxmox.url", "https://127.0.0.1:8006"],
        ["proxmox.node", "cellar"],
        ["proxmox.fingerprint", undefined],
        ["proxmox.tokenId", "felhom-agent@pve!agent"],
        ["network.allow", undefined]
      ])
    }))

  it.scoped("says what is left to do, and no more", () =>
    Effect.gen(function*() {
      const root = yield* image
      put(`${root}/etc/felhom-agent/proxmox-token`, "x", 0o644)
      put(`${root}/var/lib/felhom-agent/hub-token`, "x", 0o600)
      yield* configured(root)
      const { next } = yield* configured(root)
      expect(next).toEqual([
        "chmod 600 /etc/felhom-agent/proxmox-token",
        "systemctl enable felhom-agent.service",
        "systemctl restart felhom-agent.service",
        "felhom-agent doctor"
      ])
    }))

  it.scoped("says where it could not write, and leaves nothing half-done there", () =>
    Effect.gen(function*() {
      const root = yield* image
      put(`${root}/etc/systemd`, "a file where a folder has to be")
      const { message } = yield* Effect.flip(configured(root))
      expect(message).toContain(`cannot write ${root}${dropIn}`)
      expect(readdirSync(`${root}/etc/felhom-agent`)).toEqual(["config.json"])
    }))
})

describe("the difference that is shown", () => {
  it("has each line that goes, comes and stays, in order", () => {
    expect(lineDiff("a\nb\nc\n", "a\nx\nc\nd\n")).toEqual(["  a", "- b", "+ x", "  c", "+ d"])
    expect(lineDiff("", "a\n")).toEqual(["+ a"])
    expect(lineDiff("a\n", "")).toEqual(["- a"])
    expect(lineDiff("a\n", "a\n")).toEqual(["  a"])
  })
})
