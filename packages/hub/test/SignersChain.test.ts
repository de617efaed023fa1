import { describe, it } from "@effect/vitest"
import { SignersSubmission } from "@felhom/domain/SignersApi"
import { FleetId } from "@felhom/domain/SignersDocument"
import { backup } from "@felhom/hub/Backup"
import { DataFolder } from "@felhom/hub/DataFolder"
import { HostStore } from "@felhom/hub/HostStore"
import * as HubIdentity from "@felhom/hub/HubIdentity"
import { Ingest } from "@felhom/hub/Ingest"
import { restore } from "@felhom/hub/Restore"
import * as SignersChain from "@felhom/hub/SignersChain"
import * as NodeCrypto from "@felhom/node/NodeCrypto"
import { Clock, Effect, Encoding, Layer, Option, Schema, TestClock } from "effect"
import { createHash } from "node:crypto"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import { expect } from "vitest"
import { from, hostA, hostB, report, wireReport } from "./ReportBuilder.ts"
import { storeLayer, storeOver } from "./TestStore.ts"

const services = Layer.provideMerge(SignersChain.layer, storeLayer)
const fleet = FleetId.make("f".repeat(32))
const sha256 = (text: string | Uint8Array): string => createHash("sha256").update(text).digest("hex")

/** Version `n` of a fleet whose list is only called `list n`: a hub looks at no line of it. */
const document = (version: number, more: object = {}) =>
  JSON.stringify({
    typ: "felhom/signers/v1",
    fleet,
    version,
    from: { allowedSigners: sha256(`list ${version - 1}`), revoked: sha256("") },
    issued: 1,
    allowedSigners: `list ${version}`,
    revoked: "",
    reason: "r",
    ...more
  })

const submission = (text: string, signatures: ReadonlyArray<string> = ["one"], needs = 1) =>
  Schema.decodeUnknownSync(SignersSubmission)({ payload: Encoding.encodeBase64(text), signatures, needs })

const submit = (text: string, signatures?: ReadonlyArray<string>, needs?: number) =>
  Effect.flatMap(SignersChain.SignersChain, (chain) => chain.submit(submission(text, signatures, needs), "anna"))

const refusedSubmit = (text: string) => Effect.map(Effect.flip(submit(text)), ({ message }) => message)

/** What a host says that took this version; 0 when it has the list that the first begins with. */
const trustAt = (version: number, more: object = {}) => ({
  opEpoch: "e".repeat(32),
  storeSeq: 1,
  signers: sha256(`list ${version}`),
  policy: null,
  hold: null,
  fleet: version === 0
    ? null
    : { fleet, version, sha256: sha256(document(version)), revoked: sha256(""), followed: true },
  ...more
})

let sequence = 0

/** A report that says this of the host's signers, and the versions that its answer brings. */
const exchange = (trust: object | null, more: { readonly [key: string]: unknown } = {}) =>
  Effect.gen(function*() {
    sequence += 1
    const made = { takenAt: yield* Clock.currentTimeMillis, sequence, trust, ...more }
    const sent = report(made)
    const envelope = yield* Effect.flatMap(Ingest, (ingest) =>
      ingest.accept(sent, gzipSync(JSON.stringify(wireReport(made)))))
    const { signers } = yield* Effect.flatMap(SignersChain.SignersChain, (chain) =>
      chain.exchange(sent, envelope))
    return signers.map(({ payload }): number => JSON.parse(Buffer.from(payload, "base64").toString("utf8")).version)
  })

describe("the chain of a fleet's signers", () => {
  it.scoped("goes to each host from what it has on, byte for byte and in order", () =>
    Effect.gen(function*() {
      const odd = `${document(1)}\n `
      yield* submit(odd, ["-----BEGIN SSH SIGNATURE-----\nx\n-----END SSH SIGNATURE-----\n"])
      yield* submit(document(2))
      yield* submit(document(3))
      expect(yield* exchange(trustAt(0))).toEqual([1, 2, 3])
      expect(yield* exchange(trustAt(2))).toEqual([3])
      expect(yield* exchange(trustAt(3))).toEqual([])
      const sent = report({ sequence: sequence += 1, trust: trustAt(0) })
      const envelope = yield* Effect.flatMap(Ingest, (ingest) => ingest.accept(sent, gzipSync("{}")))
      const { signers: [first] } = yield* Effect.flatMap(
        SignersChain.SignersChain,
        (chain) => chain.exchange(sent, envelope)
      )
      expect(first).toEqual({
        payload: Encoding.encodeBase64(odd),
        signatures: ["-----BEGIN SSH SIGNATURE-----\nx\n-----END SSH SIGNATURE-----\n"]
      })
    }).pipe(Effect.provide(services)))

  it.scoped("is not given to who can't take it: another list, another fleet, an agent that follows none, a one-off report", () =>
    Effect.gen(function*() {
      yield* submit(document(1))
      yield* submit(document(2))
      expect(yield* exchange(trustAt(0, { signers: sha256("another") }))).toEqual([])
      expect(yield* exchange(trustAt(0, { signers: null }))).toEqual([])
      const revoked = { ...trustAt(1).fleet, revoked: sha256("somebody") }
      expect(yield* exchange(trustAt(1, { fleet: revoked }))).toEqual([])
      const other = { ...trustAt(1).fleet, fleet: "0".repeat(32) }
      expect(yield* exchange(trustAt(1, { fleet: other }))).toEqual([])
      const { fleet: _, ...old } = trustAt(0)
      expect(yield* exchange(old)).toEqual([])
      expect(yield* exchange(null)).toEqual([])
      expect(yield* exchange(trustAt(0), { sequence: null })).toEqual([])
      expect(yield* exchange(trustAt(0))).toEqual([1, 2])
    }).pipe(Effect.provide(services)))

  it.scoped("survives the hub's restart", () =>
    Effect.gen(function*() {
      yield* submit(document(1))
      yield* exchange(trustAt(0))
      const again = yield* Layer.build(Layer.fresh(SignersChain.layer))
      expect(yield* Effect.provide(exchange(trustAt(0)), again)).toEqual([1])
      // It knows, too, what hosts have.
      yield* Effect.provide(
        submit(document(5, { from: { allowedSigners: sha256("list 0"), revoked: sha256("") } })),
        again
      )
    }).pipe(Effect.provide(services)))

  it.scoped("comes along with a backup", () =>
    Effect.gen(function*() {
      const path = yield* Effect.acquireRelease(
        Effect.sync(() => mkdtempSync(join(tmpdir(), "felhom-signers-"))),
        (made) => Effect.sync(() => rmSync(made, { recursive: true, force: true }))
      )
      const hubOn = (data: string) =>
        Layer.mergeAll(SignersChain.layer, HubIdentity.layer("localhost")).pipe(
          Layer.provideMerge(storeOver),
          Layer.provide(Layer.merge(DataFolder.layer(data), NodeCrypto.layer))
        )
      const data = join(path, "data")
      yield* Effect.provide(submit(document(1), ["one", "two"]), hubOn(data))
      yield* backup({ data, to: join(path, "file"), force: false })
      const restored = join(path, "restored")
      yield* Effect.provide(restore({ from: join(path, "file"), data: restored }), NodeCrypto.layer)
      const kept = Effect.flatMap(SignersChain.SignersChain, (chain) => chain.one(fleet, 1))
      expect(yield* Effect.provide(kept, hubOn(restored))).toMatchObject(
        Option.some({ signed: { payload: Encoding.encodeBase64(document(1)), signatures: ["one", "two"] } })
      )
    }))

  it.scoped("waits for as many signatures as a version needs, and hands out nothing that comes after it until then", () =>
    Effect.gen(function*() {
      expect(yield* submit(document(1), ["one"], 2)).toMatchObject({ state: "collecting", signatures: 1, needs: 2 })
      yield* submit(document(2))
      expect(yield* exchange(trustAt(0))).toEqual([])
      expect((yield* submit(document(1), ["one"], 1)).state).toBe("collecting")
      expect(yield* submit(document(1), ["two"])).toMatchObject({ state: "served", signatures: 2 })
      expect(yield* exchange(trustAt(0))).toEqual([1, 2])
    }).pipe(Effect.provide(services)))

  it.scoped("has one version with a number: other bytes are a conflict that names both", () =>
    Effect.gen(function*() {
      yield* submit(document(1))
      const said = yield* refusedSubmit(document(1, { reason: "another" }))
      expect(said).toContain(`version 1 of fleet ${fleet} is here with other bytes (${sha256(document(1))}`)
      expect(yield* Effect.flip(submit(document(1, { reason: "another" })))).toMatchObject({ _tag: "HubConflict" })
    }).pipe(Effect.provide(services)))

  it.scoped("goes on only from its last version, or from lists that a host says it has", () =>
    Effect.gen(function*() {
      yield* submit(document(1))
      yield* submit(document(2))
      expect(yield* refusedSubmit(document(1, { version: 1, reason: "x" }))).toContain("other bytes")
      const jump = document(4)
      expect(yield* refusedSubmit(jump)).toContain("continues neither from version 2")
      // Root of a host edited its list: the chain goes on from that one.
      yield* exchange(trustAt(2, { signers: sha256("list 3") }))
      expect(yield* submit(jump)).toMatchObject({ version: 4, state: "served" })
      expect(yield* refusedSubmit(document(3))).toContain("fleet is at version 4".replace("fleet", `fleet ${fleet}`))
      expect(yield* exchange(trustAt(2, { signers: sha256("list 3") }))).toEqual([4])
    }).pipe(Effect.provide(services)))

  it.scoped("gives up its last version while no host has it, and never one that a host took", () =>
    Effect.gen(function*() {
      const chain = yield* SignersChain.SignersChain
      yield* submit(document(1))
      yield* submit(document(2))
      expect(yield* Effect.flip(chain.withdraw(fleet, 1))).toMatchObject({
        _tag: "HubConflict",
        message: expect.stringContaining("only the last")
      })
      expect(yield* Effect.flip(chain.withdraw(fleet, 3))).toMatchObject({ _tag: "HubNotFound" })
      expect(yield* chain.withdraw(fleet, 2)).toMatchObject({ version: 2 })
      yield* submit(document(2, { reason: "the right one" }))
      yield* exchange(trustAt(2))
      expect(yield* Effect.flip(chain.withdraw(fleet, 2))).toMatchObject({
        _tag: "HubConflict",
        message: expect.stringContaining("1 hosts say that they took it")
      })
    }).pipe(Effect.provide(services)))

  it.scoped("fits into an envelope however long it is, and none is left out between", () =>
    Effect.gen(function*() {
      const padding = "#".repeat(60_000)
      for (let version = 1; version <= 5; version += 1) {
        const before = version === 1 ? "list 0" : `list ${version - 1}${padding}`
        yield* submit(document(version, {
          from: { allowedSigners: sha256(before), revoked: sha256("") },
          allowedSigners: `list ${version}${padding}`
        }))
      }
      expect(yield* exchange(trustAt(0))).toEqual([1, 2])
      expect(yield* exchange(trustAt(2, { signers: sha256(`list 2${padding}`) }))).toEqual([3, 4])
    }).pipe(Effect.provide(services)))

  it.scoped("says which hosts lack a version, at once for who looks and after a quarter of an hour as a concern", () =>
    Effect.gen(function*() {
      const shown = Effect.map(
        Effect.flatMap(HostStore, (hosts) => hosts.list),
        (list) =>
          Object.fromEntries(list.map(({ attention, host, signersBehind }) => [host.id, { attention, signersBehind }]))
      )
      yield* submit(document(1))
      yield* submit(document(2))
      yield* exchange(trustAt(1))
      yield* exchange(trustAt(2, { signers: sha256("edited by root"), fleet: { ...trustAt(1).fleet } }), {
        host: from(hostB)
      })
      const lacking = { version: 1, latest: 2, continues: true }
      expect((yield* shown)[hostA]).toEqual({ attention: [], signersBehind: lacking })
      expect((yield* shown)[hostB]).toEqual({ attention: [], signersBehind: { ...lacking, continues: false } })
      yield* TestClock.adjust("15 minutes")
      yield* exchange(trustAt(1))
      yield* exchange(trustAt(2, { signers: sha256("edited by root"), fleet: { ...trustAt(1).fleet } }), {
        host: from(hostB)
      })
      expect((yield* shown)[hostA]?.attention).toEqual([
        "its signers are version 1, and the fleet's 2: its events say why it does not take them (felhom events)"
      ])
      expect((yield* shown)[hostB]?.attention).toEqual([expect.stringContaining("felhom op signers.update")])
      yield* exchange(trustAt(2))
      expect((yield* shown)[hostA]).toEqual({ attention: [], signersBehind: null })
    }).pipe(Effect.provide(services)))
})

describe("a submission", () => {
  const problem = (payload: string) =>
    Schema.decodeUnknownEither(SignersSubmission)({ payload, signatures: ["x"] }).pipe((found) =>
      found._tag === "Left" ? found.left.message : ""
    )

  it.each([
    ["no base64", "?", "the document"],
    ["no document", Encoding.encodeBase64("{}"), "it is no felhom/signers/v1"],
    ["a key twice", Encoding.encodeBase64("{\"typ\":1,\"typ\":2}"), "it is no felhom/signers/v1"],
    ["an unknown key", Encoding.encodeBase64(document(1, { surprise: true })), "surprise"],
    ["more than 64 KiB", Encoding.encodeBase64("x".repeat(65_537)), "65536"]
  ])("with %s is not taken", (_, payload, word) => {
    expect(problem(payload)).toContain(word)
  })

  it.scoped("is one of eight fleets at most", () =>
    Effect.gen(function*() {
      for (let count = 0; count < 8; count += 1) yield* submit(document(1, { fleet: `${count}`.repeat(32) }))
      expect(yield* refusedSubmit(document(1))).toContain("8 fleets already")
    }).pipe(Effect.provide(services)))
})
