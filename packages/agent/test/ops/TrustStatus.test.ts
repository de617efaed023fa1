import { describe, it } from "@effect/vitest"
import { makeTrustStatus } from "@felhom/agent/ops/TrustStatus"
import * as AcceptedPolicy from "@felhom/authz/AcceptedPolicy"
import { AcceptedSigners, type HeldSigners, readVersion } from "@felhom/authz/AcceptedSigners"
import * as HostPolicy from "@felhom/authz/HostPolicy"
import * as Signers from "@felhom/authz/Signers"
import { HostEpoch } from "@felhom/domain/HostId"
import { Crypto } from "@felhom/domain/port/Crypto"
import { DurableFile } from "@felhom/domain/port/DurableFile"
import { Sha256Hex } from "@felhom/domain/Sha256"
import { decodeSigners } from "@felhom/domain/SignersDocument"
import { EpochMillis } from "@felhom/domain/Time"
import * as Hold from "@felhom/durable/Hold"
import { NonceStore } from "@felhom/durable/NonceStore"
import * as NodeCrypto from "@felhom/node/NodeCrypto"
import * as NodeDurableFile from "@felhom/node/NodeDurableFile"
import { fileStamps } from "@felhom/node/NodeFileStamps"
import * as NodeFileSteps from "@felhom/node/NodeFileSteps"
import { DesiredIntake } from "@felhom/reconciler/desired/DesiredIntake"
import { Effect, Layer, Option, Ref, TestClock } from "effect"
import { createHash } from "node:crypto"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect } from "vitest"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "felhom-trust-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex")
const key = "AAAAC3NzaC1lZDI1NTE5AAAAIOUqyHOasgU8q3/DgKgMA+SAvvJoH0fTGnlh9BEmjG3B"
const listOf = (name: string) => `${name} ssh-ed25519 ${key}\n`

/** A host in a folder: its own files, read by what reads them live, and a count of how often. */
const makeHost = Effect.gen(function*() {
  const directory = yield* folder
  const place = (name: string) => join(directory, name)
  const reads: Array<string> = []
  const fleet = yield* Ref.make(Option.none<HeldSigners>())
  const live = NodeDurableFile.make()
  const files = Layer.succeed(DurableFile, {
    ...live,
    read: (path) =>
      Effect.zipRight(Effect.sync(() => void reads.push(path.slice(directory.length + 1))), live.read(path))
  })
  const nonces = Layer.mock(NonceStore, {
    hostEpoch: Effect.succeed(HostEpoch.make("1".repeat(32))),
    storeSeq: Effect.succeed(7),
    trustedTime: Effect.succeed(EpochMillis.make(0))
  })
  const services = Layer.mergeAll(
    HostPolicy.layer(place("policy.json")),
    Signers.layer({ allowed: place("allowed"), revoked: { path: place("revoked"), required: false } })
  ).pipe(
    Layer.provideMerge(Layer.mergeAll(
      AcceptedPolicy.layer(place("state")),
      Layer.mock(AcceptedSigners, { current: Ref.get(fleet) })
    )),
    Layer.provide([files, NodeCrypto.layer]),
    Layer.merge(Layer.mergeAll(
      nonces,
      Hold.layer(directory).pipe(Layer.provide(NodeFileSteps.layer)),
      Layer.mock(DesiredIntake, { held: Effect.succeed(null) })
    ))
  )
  const paths = [place("allowed"), place("revoked"), place("policy.json"), Hold.fileIn(directory)]
  const context = yield* Layer.build(services)
  const trust = yield* Effect.provide(makeTrustStatus(paths, fileStamps), context)
  const write = (name: string, content: string) => Effect.sync(() => writeFileSync(place(name), content))
  return {
    trust,
    reads,
    write,
    fleet,
    policy: yield* Effect.provide(AcceptedPolicy.AcceptedPolicy, context),
    hold: yield* Effect.provide(Hold.Hold, context),
    remove: (name: string) => rmSync(place(name))
  }
})

/** A version of the fleet's signers that was taken beside this list of root's. */
const takenBeside = (anchor: string, version: number) =>
  Effect.gen(function*() {
    const bytes = new TextEncoder().encode(JSON.stringify({
      typ: "felhom/signers/v1",
      fleet: "f".repeat(32),
      version,
      from: { allowedSigners: sha256(anchor), revoked: sha256("") },
      issued: 0,
      allowedSigners: listOf("cora"),
      revoked: "",
      reason: "a new laptop"
    }))
    const name = yield* (yield* Crypto).sha256(bytes)
    const read = yield* readVersion(bytes, name, yield* decodeSigners(bytes))
    return { ...read, anchor: Sha256Hex.make(sha256(anchor)) }
  }).pipe(Effect.provide(NodeCrypto.layer))

/** Long enough after what a test wrote that the files' times tell them apart. */
const settled = TestClock.setTime(Date.now() + 3_600_000)

describe("whom the host trusts, for its reports", () => {
  it.scoped("is read once while root's files stay as they are", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      yield* host.write("allowed", listOf("anna"))
      yield* settled
      const first = yield* host.trust
      expect(first).toMatchObject({
        signers: sha256(listOf("anna")),
        policy: null,
        hold: null,
        fleet: null,
        desired: null
      })
      expect(host.reads).toEqual(expect.arrayContaining(["allowed", "revoked", "policy.json"]))
      host.reads.length = 0
      expect(yield* host.trust).toEqual(first)
      expect(host.reads).toEqual([])
    }))

  it.scoped("follows an edit by root at once: another list, its last good one once it is gone, a hold and its end", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      yield* host.write("allowed", listOf("anna"))
      yield* settled
      yield* host.trust
      yield* host.write("allowed", listOf("bertram"))
      expect(yield* host.trust).toMatchObject({ signers: sha256(listOf("bertram")) })
      yield* host.hold.set("root", "moving house")
      expect(yield* host.trust).toMatchObject({ hold: { reason: "moving house" } })
      yield* host.hold.release
      expect(yield* host.trust).toMatchObject({ hold: null })
      host.remove("allowed")
      expect(yield* host.trust).toMatchObject({ signers: sha256(listOf("bertram")) })
    }))

  it.scoped("follows what was accepted while the files stay the same", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      yield* host.write("allowed", listOf("anna"))
      yield* settled
      yield* host.trust
      yield* Ref.set(host.fleet, Option.some(yield* takenBeside(listOf("anna"), 1)))
      expect(yield* host.trust).toMatchObject({
        signers: sha256(listOf("cora")),
        fleet: { version: 1, followed: true }
      })
      yield* Ref.set(host.fleet, Option.some(yield* takenBeside(listOf("anna"), 2)))
      expect(yield* host.trust).toMatchObject({ fleet: { version: 2, followed: true } })
      const widened = JSON.stringify({ typ: "felhom/policy/v1" })
      yield* host.policy.keep(new TextEncoder().encode(widened), null)
      expect(yield* host.trust).toMatchObject({ policy: sha256(widened) })
    }))

  it.scoped("is read in each cycle while a file is so new that its times could not show another edit", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      yield* host.write("allowed", listOf("anna"))
      yield* TestClock.setTime(Date.now())
      yield* host.trust
      host.reads.length = 0
      yield* host.trust
      expect(host.reads).toEqual(["allowed", "revoked", "policy.json"])
    }))

  it.scoped("is read in each cycle while something is wrong with a file, so that it is right once that is over", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      yield* host.write("allowed", listOf("anna"))
      yield* host.write("policy.json", "no policy")
      yield* settled
      yield* host.trust
      host.reads.length = 0
      yield* host.trust
      expect(host.reads).toEqual(["allowed", "revoked", "policy.json"])
    }))
})
