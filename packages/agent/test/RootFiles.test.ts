import { describe, it } from "@effect/vitest"
import { AcceptedPolicy } from "@felhom/authz/AcceptedPolicy"
import { AcceptedSigners } from "@felhom/authz/AcceptedSigners"
import * as HostPolicy from "@felhom/authz/HostPolicy"
import { highestThreshold, thresholdFor, usualPolicy } from "@felhom/authz/PolicyDocument"
import * as Signers from "@felhom/authz/Signers"
import { Sha256Hex } from "@felhom/domain/Sha256"
import { KeptDocumentError } from "@felhom/durable/KeptDocument"
import * as NodeCrypto from "@felhom/node/NodeCrypto"
import * as NodeDurableFile from "@felhom/node/NodeDurableFile"
import { Effect, Layer, Option } from "effect"
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect } from "vitest"

const anna = "anna ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJ"

const privateKey = `-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW
-----END OPENSSH PRIVATE KEY-----
`

type Accepted = (typeof AcceptedPolicy.Service)["current"]

/** Root's files in a folder of the real file system. */
const rootsFilesWith = (accepted: Accepted, required = false) =>
  Effect.gen(function*() {
    const folder = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "felhom-root-"))),
      (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
    )
    const at = {
      allowed: join(folder, "allowed_signers"),
      revoked: join(folder, "revoked_keys"),
      policy: join(folder, "policy.json")
    }
    const layer = Layer.merge(
      Signers.layer({ allowed: at.allowed, revoked: { path: at.revoked, required } }),
      HostPolicy.layer(at.policy)
    ).pipe(Layer.provide([
      NodeDurableFile.layer,
      NodeCrypto.layer,
      Layer.mock(AcceptedSigners, { current: Effect.succeedNone }),
      Layer.mock(AcceptedPolicy, { current: accepted })
    ]))
    const context = yield* Layer.build(layer)
    return {
      at,
      signers: Effect.provide(Effect.flatMap(Signers.Signers, ({ current }) => current), context),
      policy: Effect.provide(Effect.flatMap(HostPolicy.HostPolicy, ({ current }) => current), context)
    }
  })

const rootsFiles = rootsFilesWith(Effect.succeedNone)

type Path = { readonly allowed: string; readonly revoked: string }

/** What can be wrong with the allow-list from the first moment on. */
const wrong: ReadonlyArray<readonly [what: string, make: (at: Path) => void, reason: string, why: RegExp]> = [
  [
    "that is missing",
    () => {},
    "no-signers",
    /there is no .*allowed_signers; root puts the signers' public keys there/
  ],
  ["that is a folder", ({ allowed }) => mkdirSync(allowed), "signers", /cannot read .*allowed_signers.*EISDIR/],
  [
    "that everybody can write to",
    ({ allowed }) => {
      writeFileSync(allowed, anna)
      chmodSync(allowed, 0o646)
    },
    "signers",
    /everybody on this machine can write to it \(EWRITABLE\).*chmod o-w/
  ],
  [
    "that is a private key",
    ({ allowed }) => writeFileSync(allowed, privateKey),
    "signers",
    /line 1 .* it is of a private key: the public one belongs here/
  ],
  [
    "with a private key in the place of a public one",
    ({ allowed }) => writeFileSync(allowed, `anna ssh-ed25519 ${privateKey.split("\n")[1]}\n`),
    "signers",
    /line 1 of the allowed signers: its key is wrong/
  ],
  [
    "with one bad line",
    ({ allowed }) => writeFileSync(allowed, `${anna}\nben\n`),
    "signers",
    /line 2 of the allowed signers: it names no key/
  ],
  [
    "beside revoked keys that everybody can write to",
    ({ allowed, revoked }) => {
      writeFileSync(allowed, anna)
      writeFileSync(revoked, "")
      chmodSync(revoked, 0o666)
    },
    "revocations",
    /revoked_keys: everybody on this machine can write to it/
  ],
  [
    "beside a private key among the revoked ones",
    ({ allowed, revoked }) => {
      writeFileSync(allowed, anna)
      writeFileSync(revoked, privateKey)
    },
    "revocations",
    /revoked_keys: line 1 is not a public key/
  ]
]

describe("nobody may sign by an allow-list", () => {
  for (const [what, make, reason, why] of wrong) {
    it.scoped(what, () =>
      Effect.gen(function*() {
        const { at, signers } = yield* rootsFiles
        make(at)
        const refused = yield* Effect.flip(signers)
        expect(refused.reason).toBe(reason)
        expect(refused.message).toMatch(why)
        // What is in a private key is shown to nobody.
        expect(refused.message).not.toContain("b3BlbnNz")
      }))
  }

  it.scoped("that is empty, which is a list all the same", () =>
    Effect.gen(function*() {
      const { at, signers } = yield* rootsFiles
      writeFileSync(at.allowed, "")
      const found = yield* signers
      expect([found.signers.signers, found.problem]).toEqual([[], Option.none()])
    }))

  it.scoped("without the revoked keys that somebody configured", () =>
    Effect.gen(function*() {
      const { at, signers } = yield* rootsFilesWith(Effect.succeedNone, true)
      writeFileSync(at.allowed, anna)
      expect((yield* Effect.flip(signers)).message).toMatch(
        /the list of revoked keys .* is configured and is not there/
      )
      writeFileSync(at.revoked, "")
      expect((yield* signers).signers.signers).toHaveLength(1)
    }))

  it.scoped("with lines that end in CRLF is read as the same list", () =>
    Effect.gen(function*() {
      const { at, signers } = yield* rootsFiles
      writeFileSync(at.allowed, `# ours\r\n\r\n${anna}\r\n`)
      expect((yield* signers).signers.signers.map(({ line, principals }) => [line, principals])).toEqual([[3, "anna"]])
    }))

  it.scoped("that goes bad later changes nothing, and is told of with what is wrong", () =>
    Effect.gen(function*() {
      const { at, signers } = yield* rootsFiles
      writeFileSync(at.allowed, anna)
      const good = yield* signers
      expect([good.problem, good.held, good.followed]).toEqual([Option.none(), Option.none(), false])
      expect((yield* signers).signers).toBe(good.signers)
      chmodSync(at.allowed, 0o646)
      const open = yield* signers
      expect(open.signers).toBe(good.signers)
      expect(Option.getOrThrow(open.problem)).toContain("EWRITABLE")
      rmSync(at.allowed)
      expect(Option.getOrThrow((yield* signers).problem)).toContain("there is no")
    }))
})

describe("root's policy", () => {
  it.scoped("that everybody can write to, or that is a folder, lets nothing be destroyed", () =>
    Effect.gen(function*() {
      const { at, policy } = yield* rootsFiles
      const usual = { threshold: 1, thresholds: {}, softwareKeys: true, verification: false }
      expect(yield* policy).toMatchObject({ sha256: null, problem: Option.none(), policy: { signatures: usual } })
      mkdirSync(at.policy)
      expect(Option.getOrThrow((yield* policy).problem)).toContain("illegal operation on a directory")
      rmSync(at.policy, { recursive: true })
      writeFileSync(at.policy, `{"typ":"felhom/policy/v1","signatures":{"threshold":2}}`)
      expect((yield* policy).policy.signatures).toEqual({ ...usual, threshold: 2 })
      chmodSync(at.policy, 0o666)
      const open = yield* policy
      expect(open.policy.signatures.threshold).toBe(2)
      expect(Option.getOrThrow(open.problem)).toContain("everybody on this machine can write to it")
      rmSync(at.policy)
      expect(Option.getOrThrow((yield* policy).problem)).toContain("the file was there and is gone")
    }))

  it.scoped("with a key twice, or one that is not known, is refused with where", () =>
    Effect.gen(function*() {
      const { at, policy } = yield* rootsFiles
      const problems: ReadonlyArray<readonly [text: string, why: RegExp]> = [
        [`{"typ":"felhom/policy/v1","typ":"felhom/policy/v1"}`, /the key "typ" stands there twice/],
        [`{"typ":"felhom/policy/v1","retention":1}`, /retention/],
        [`{"typ":"felhom/policy/v1","signatures":{"threshold":17}}`, /threshold/],
        ["", /no value can begin here/]
      ]
      for (const [text, why] of problems) {
        writeFileSync(at.policy, text)
        expect(Option.getOrThrow((yield* policy).problem), text).toMatch(why)
      }
    }))

  it.scoped("gives way to the one that operators signed for, while it is the one that they knew", () =>
    Effect.gen(function*() {
      const widened = { sha256: Sha256Hex.make("a".repeat(64)), policy: usualPolicy }
      const none = yield* rootsFilesWith(Effect.succeedSome({ ...widened, anchor: null }))
      expect(yield* none.policy).toMatchObject({ sha256: widened.sha256, root: null, problem: Option.none() })
      writeFileSync(
        none.at.policy,
        `{"typ":"felhom/policy/v1","signatures":{"threshold":2,"thresholds":{"hold.release":3}}}`
      )
      const own = yield* none.policy
      expect(own.sha256).toBe(own.root)
      expect(own.sha256).not.toBe(widened.sha256)
      expect(thresholdFor(own.policy, "hold.release")).toBe(3)
      expect(thresholdFor(own.policy, "guest.destroy")).toBe(2)
      expect(highestThreshold(own.policy)).toBe(3)
      expect(highestThreshold({ ...own.policy, signatures: { ...own.policy.signatures, thresholds: {} } })).toBe(2)
      expect(yield* none.policy).toEqual(own)
    }))

  it.scoped("beside one that operators signed for and that can't be read lets nothing be destroyed", () =>
    Effect.gen(function*() {
      const broken = new KeptDocumentError({ reason: "unreadable", path: "/state/accepted-policy.json", detail: "why" })
      const { policy } = yield* rootsFilesWith(Effect.fail(broken))
      expect((yield* policy).problem).toEqual(Option.some(broken.message))
    }))
})
