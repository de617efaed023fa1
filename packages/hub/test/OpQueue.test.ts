import { describe, it } from "@effect/vitest"
import { HostId } from "@felhom/domain/HostId"
import { opLimits, OpSubmission } from "@felhom/domain/OpsApi"
import { HostStore } from "@felhom/hub/HostStore"
import { Ingest } from "@felhom/hub/Ingest"
import * as OpQueue from "@felhom/hub/OpQueue"
import { Clock, Effect, Encoding, Layer, Option, Schema, TestClock } from "effect"
import { createHash } from "node:crypto"
import { gzipSync } from "node:zlib"
import { expect } from "vitest"
import { epochTwo, event, from, hostA, hostB, report, wireReport } from "./ReportBuilder.ts"
import { storeLayer } from "./TestStore.ts"

const host = HostId.make(hostA)
const services = Layer.provideMerge(OpQueue.layer, storeLayer)

const payloadOf = (nonce: string, more: object = {}): Uint8Array =>
  new TextEncoder().encode(JSON.stringify({
    typ: "felhom/op/v1",
    op: "guest.destroy",
    target: { guest: { type: "lxc", vmid: 101 } },
    reason: "the family asked for it",
    nonce,
    exp: 3_600_000,
    ...more
  }))

const nameOf = (payload: Uint8Array): string => createHash("sha256").update(payload).digest("hex")

const submission = (payload: Uint8Array, signatures: ReadonlyArray<string>, needs?: number): OpSubmission =>
  Schema.decodeUnknownSync(OpSubmission)({
    payload: Encoding.encodeBase64(payload),
    signatures,
    ...(needs === undefined ? {} : { needs })
  })

const submit = (payload: Uint8Array, signatures: ReadonlyArray<string> = ["one"], needs?: number) =>
  Effect.flatMap(OpQueue.OpQueue, (queue) => queue.submit(host, submission(payload, signatures, needs), "anna"))

let sequence = 0

/** Stands for a signature, and tells whose bytes it is over. */
const armoredOf = (plain: Uint8Array): string => `signature over ${nameOf(plain)}`

/** A report, and the ops that its answer brings. */
const exchange = (more: { readonly [key: string]: unknown } = {}, unsigned = false) =>
  Effect.gen(function*() {
    sequence += 1
    const made = { takenAt: yield* Clock.currentTimeMillis, sequence, ...more }
    const ingest = yield* Ingest
    const queue = yield* OpQueue.OpQueue
    const sent = report(made)
    const plain = Buffer.from(JSON.stringify(wireReport(made)))
    const packed = gzipSync(plain)
    const signature = unsigned ? null : armoredOf(plain)
    const envelope = yield* ingest.accept(sent, packed, signature ?? undefined)
    return (yield* queue.exchange(sent, { plain, packed, signature }, envelope)).ops
  })

const says = (seq: number, kind: string, payload: Uint8Array, message: string = kind) =>
  exchange({ events: [event(seq, { kind, subject: nameOf(payload), message })] })

const listed = Effect.flatMap(OpQueue.OpQueue, (queue) => queue.ofHost(host))
const state = Effect.map(listed, ([op]) => op?.state)

describe("a signed op", () => {
  it.scoped("goes to its host byte for byte, with every envelope, until the host says how it ended", () =>
    Effect.gen(function*() {
      yield* exchange()
      // Spaces, odd bytes and all: nothing is parsed on its way.
      const payload = new Uint8Array([...payloadOf("a"), 0x20, 0xff, 0x0a])
      yield* submit(payload, ["-----BEGIN SSH SIGNATURE-----\nx\n-----END SSH SIGNATURE-----\n"])
      const [op] = yield* exchange()
      expect(op?.payload).toBe(Encoding.encodeBase64(payload))
      expect(op?.signatures).toEqual(["-----BEGIN SSH SIGNATURE-----\nx\n-----END SSH SIGNATURE-----\n"])
      expect(yield* exchange({ host: from(hostB), sequence: 1 })).toEqual([])
      expect(yield* says(1, "op.accepted", payload)).toHaveLength(1)
      expect(yield* says(2, "op.started", payload)).toHaveLength(1)
      expect(yield* says(3, "op.finished", payload, "lxc/101 is destroyed")).toEqual([])
      expect(yield* exchange()).toEqual([])
      expect(yield* listed).toMatchObject([
        { op: nameOf(payload), state: "finished", message: "lxc/101 is destroyed", submittedBy: "anna" }
      ])
    }).pipe(Effect.provide(services)))

  it.scoped("that waits on its host for what has its target goes on being handed out, and is there after a restart", () =>
    Effect.gen(function*() {
      yield* exchange()
      const payload = payloadOf("a")
      yield* submit(payload)
      yield* says(1, "op.accepted", payload)
      expect(yield* says(2, "op.waiting", payload, "waits: lxc/101 is locked (backup)")).toHaveLength(1)
      expect(yield* listed).toMatchObject([{ state: "waiting", message: "waits: lxc/101 is locked (backup)" }])
      const again = yield* Layer.build(Layer.fresh(OpQueue.layer))
      expect(yield* Effect.provide(exchange(), again)).toHaveLength(1)
      yield* says(3, "op.started", payload)
      expect(yield* state).toBe("started")
    }).pipe(Effect.provide(services)))

  it.scoped("survives the hub's restart", () =>
    Effect.gen(function*() {
      yield* exchange()
      yield* submit(payloadOf("a"))
      const again = yield* Layer.build(Layer.fresh(OpQueue.layer))
      const ops = yield* Effect.provide(exchange(), again)
      expect(ops).toHaveLength(1)
    }).pipe(Effect.provide(services)))

  it.scoped("waits at the hub for as many signatures as it needs, which come one after another over the same bytes", () =>
    Effect.gen(function*() {
      yield* exchange()
      expect((yield* submit(payloadOf("a"), ["one"], 2)).state).toBe("collecting")
      expect(yield* exchange()).toEqual([])
      // The same one again is not a second one, and asking for fewer does not make it enough.
      expect((yield* submit(payloadOf("a"), ["one"], 1)).state).toBe("collecting")
      expect(yield* submit(payloadOf("a"), ["two"])).toMatchObject({ state: "awaiting", signatures: 2, needs: 2 })
      expect(yield* exchange()).toMatchObject([{ signatures: ["one", "two"] }])
    }).pipe(Effect.provide(services)))

  it.scoped("that was refused is handed out again once somebody else signed it, and only then", () =>
    Effect.gen(function*() {
      yield* exchange()
      const payload = payloadOf("a")
      yield* submit(payload)
      yield* says(1, "op.refused", payload, "1 of the 2 signers that this needs have signed")
      expect(yield* state).toBe("refused")
      yield* submit(payload, ["one"])
      expect(yield* exchange()).toEqual([])
      yield* submit(payload, ["two"])
      // The refusal of before, in a report that comes once more.
      expect(yield* says(1, "op.refused", payload)).toMatchObject([{ signatures: ["one", "two"] }])
      yield* says(2, "op.accepted", payload)
      expect(yield* state).toBe("accepted")
    }).pipe(Effect.provide(services)))

  it.scoped("is not brought back by what a host said earlier or says twice", () =>
    Effect.gen(function*() {
      yield* exchange()
      const payload = payloadOf("a")
      yield* submit(payload)
      yield* says(2, "op.started", payload)
      yield* says(1, "op.accepted", payload)
      expect(yield* state).toBe("started")
      yield* says(3, "op.unknown", payload)
      yield* exchange({
        host: from(hostA, epochTwo),
        sequence: 1,
        events: [event(1, { kind: "op.accepted", subject: nameOf(payload) })]
      })
      expect(yield* state).toBe("unknown")
    }).pipe(Effect.provide(services)))

  it.scoped("that no host took in time expires, by what it says or after a day", () =>
    Effect.gen(function*() {
      yield* exchange()
      yield* submit(payloadOf("a", { exp: 3_600_000 }))
      yield* submit(payloadOf("b", { exp: "never" }))
      yield* submit(payloadOf("c", { exp: 1e15 }))
      yield* submit(new Uint8Array([1, 2, 3]))
      expect(yield* exchange()).toHaveLength(4)
      yield* TestClock.adjust("1 hour")
      expect(yield* exchange()).toHaveLength(3)
      yield* TestClock.adjust("23 hours")
      expect(yield* exchange()).toEqual([])
      expect((yield* listed).map((op) => op.state)).toEqual(["expired", "expired", "expired", "expired"])
    }).pipe(Effect.provide(services)))

  it.scoped("that its host accepted is not sent any more once it expired, and stays what the host said", () =>
    Effect.gen(function*() {
      yield* exchange()
      const payload = payloadOf("a")
      yield* submit(payload)
      yield* says(1, "op.accepted", payload)
      yield* TestClock.adjust("1 hour")
      expect(yield* exchange()).toEqual([])
      expect(yield* state).toBe("accepted")
      yield* says(2, "op.finished", payload)
      expect(yield* state).toBe("finished")
    }).pipe(Effect.provide(services)))

  it.scoped("is one of a hundred open ones of a host at most, and what all envelopes carry stays readable", () =>
    Effect.gen(function*() {
      yield* exchange()
      const big = "x".repeat(12_000)
      for (let count = 0; count < opLimits.openPerHost; count += 1) yield* submit(payloadOf(`${count}`, { big }))
      const full = yield* Effect.flip(submit(payloadOf("one more")))
      expect(full).toMatchObject({ _tag: "HubConflict", message: expect.stringContaining("100 ops are open") })
      // Another signature on one of them is no further op.
      yield* submit(payloadOf("5", { big }), ["two"])
      const ops = yield* exchange()
      expect(ops.length).toBeGreaterThan(40)
      expect(JSON.stringify(ops).length).toBeLessThan(1024 * 1024)
      yield* says(1, "op.finished", payloadOf("7", { big }))
      yield* submit(payloadOf("one more"))
    }).pipe(Effect.provide(services)))

  it.scoped("is for a host that this hub knows", () =>
    Effect.gen(function*() {
      expect(yield* Effect.flip(submit(payloadOf("a")))).toMatchObject({ _tag: "HubNotFound" })
    }).pipe(Effect.provide(services)))

  it.scoped("is not given to a one-off report, nor taken from one", () =>
    Effect.gen(function*() {
      yield* exchange()
      const payload = payloadOf("a")
      yield* submit(payload)
      const ops = yield* exchange({
        sequence: null,
        events: [event(1, { kind: "op.finished", subject: nameOf(payload) })]
      })
      expect(ops).toEqual([])
      expect(yield* state).toBe("awaiting")
    }).pipe(Effect.provide(services)))
})

describe("the host's own word", () => {
  const spoken = (payload: Uint8Array) =>
    Effect.gen(function*() {
      const queue = yield* OpQueue.OpQueue
      const [op] = yield* listed
      if (op === undefined) return expect.unreachable()
      expect(op.op).toBe(nameOf(payload))
      const found = yield* queue.report(host, op.op)
      return { report: op.report, found: Option.getOrNull(found) }
    })

  it.scoped("on an op is kept as it was signed, however many reports come after it", () =>
    Effect.gen(function*() {
      yield* exchange()
      const payload = payloadOf("a")
      yield* submit(payload)
      expect(yield* spoken(payload)).toEqual({ report: null, found: null })
      yield* says(1, "op.accepted", payload)
      const first = yield* spoken(payload)
      yield* says(2, "op.finished", payload, "it is gone")
      const last = yield* spoken(payload)
      expect(last.report).not.toBe(first.report)
      yield* exchange()
      yield* exchange()
      const plain = Buffer.from(last.found?.payload ?? "", "base64")
      expect(nameOf(plain)).toBe(last.report)
      expect(last.found?.signatures).toEqual([armoredOf(plain)])
      expect(JSON.parse(plain.toString("utf8"))).toMatchObject({
        events: [{ kind: "op.finished", message: "it is gone" }]
      })
      expect(yield* spoken(payload)).toEqual(last)
    }).pipe(Effect.provide(services)))

  it.scoped("is nobody's when the host did not sign it", () =>
    Effect.gen(function*() {
      yield* exchange()
      const payload = payloadOf("a")
      yield* submit(payload)
      yield* exchange({ events: [event(1, { kind: "op.finished", subject: nameOf(payload) })] }, true)
      expect(yield* state).toBe("finished")
      expect(yield* spoken(payload)).toEqual({ report: null, found: null })
    }).pipe(Effect.provide(services)))

  it.scoped("is kept for the last two hundred reports that speak of ops", () =>
    Effect.gen(function*() {
      yield* exchange()
      for (let count = 1; count <= 201; count += 1) yield* says(count, "op.refused", payloadOf(`${count}`))
      const queue = yield* OpQueue.OpQueue
      const ops = yield* queue.list(undefined)
      expect(ops.filter(({ report }) => report !== null)).toHaveLength(200)
      const first = ops.find(({ op }) => op === nameOf(payloadOf("1")))
      if (first === undefined) return expect.unreachable()
      expect(yield* queue.report(host, first.op)).toEqual(Option.none())
    }).pipe(Effect.provide(services)))
})

describe("what goes with an op", () => {
  it.scoped("reaches the host with it, and can be mended by who brings it anew", () =>
    Effect.gen(function*() {
      yield* exchange()
      const payload = payloadOf("a")
      const bring = (document: string | undefined, signatures: ReadonlyArray<string> = ["one"]) =>
        Effect.flatMap(OpQueue.OpQueue, (queue) =>
          queue.submit(
            host,
            Schema.decodeUnknownSync(OpSubmission)({
              payload: Encoding.encodeBase64(payload),
              signatures,
              ...(document === undefined ? {} : { document: Encoding.encodeBase64(document) })
            }),
            "anna"
          ))
      yield* bring("a policy")
      expect(yield* exchange()).toMatchObject([{ document: Encoding.encodeBase64("a policy") }])
      // A second signer has nothing to bring.
      yield* bring(undefined, ["two"])
      expect(yield* exchange()).toMatchObject([
        { signatures: ["one", "two"], document: Encoding.encodeBase64("a policy") }
      ])
      yield* says(1, "op.refused", payload, "the document is another one")
      yield* bring("a policy")
      expect(yield* exchange()).toEqual([])
      yield* bring("the policy")
      expect(yield* exchange()).toMatchObject([{ document: Encoding.encodeBase64("the policy") }])
      const again = yield* Layer.build(Layer.fresh(OpQueue.layer))
      expect(yield* Effect.provide(exchange(), again)).toMatchObject([
        { document: Encoding.encodeBase64("the policy") }
      ])
    }).pipe(Effect.provide(services)))
})

describe("a refusal", () => {
  it.scoped("needs a person for a day, with what was refused and why", () =>
    Effect.gen(function*() {
      yield* exchange()
      const payload = payloadOf("a")
      yield* submit(payload)
      yield* says(1, "op.refused", payload, "unlisted: its key is not on the allow-list")
      const hosts = yield* HostStore
      const [summary] = yield* hosts.list
      expect(summary?.attention).toEqual([
        `op ${
          nameOf(payload).slice(0, 12)
        } (guest.destroy lxc/101) was refused: unlisted: its key is not on the allow-list`
      ])
      yield* TestClock.adjust("1 day")
      yield* exchange()
      expect((yield* hosts.list)[0]?.attention).toEqual([])
    }).pipe(Effect.provide(services)))

  it.scoped("of an op that this hub never had is shown all the same, and says so", () =>
    Effect.gen(function*() {
      yield* exchange()
      const payload = payloadOf("a")
      yield* says(1, "op.refused", payload, "expired")
      expect(yield* listed).toMatchObject([{ op: nameOf(payload), state: "refused", submittedBy: null }])
      const queue = yield* OpQueue.OpQueue
      const [op] = yield* listed
      expect(op === undefined ? null : yield* queue.one(host, op.op)).toEqual(Option.none())
      const [summary] = yield* Effect.flatMap(HostStore, (hosts) => hosts.list)
      expect(summary?.attention).toEqual([expect.stringContaining("it did not come through this hub")])
    }).pipe(Effect.provide(services)))
})

describe("a submission", () => {
  it.each([
    ["a payload that is not base64", { payload: "?", signatures: ["x"] }],
    ["an empty payload", { payload: "", signatures: ["x"] }],
    ["a payload above 16 KiB", { payload: Encoding.encodeBase64(new Uint8Array(16_385)), signatures: ["x"] }],
    ["a document above 256 KiB", {
      payload: "AAAA",
      signatures: ["x"],
      document: Encoding.encodeBase64(new Uint8Array(256 * 1024 + 1))
    }],
    ["no signature", { payload: "AAAA", signatures: [] }],
    ["nine signatures", { payload: "AAAA", signatures: Array(9).fill("x") }],
    ["a signature that is too long", { payload: "AAAA", signatures: ["x".repeat(8_193)] }]
  ])("with %s is not taken", (_, wire) => {
    expect(Option.isNone(Schema.decodeUnknownOption(OpSubmission)(wire))).toBe(true)
  })

  it("of 16 KiB is taken", () => {
    expect(submission(new Uint8Array(16_384), ["x"]).needs).toBe(1)
  })
})

describe("ops of all hosts", () => {
  it.scoped("are listed by their state", () =>
    Effect.gen(function*() {
      yield* exchange()
      yield* submit(payloadOf("a"))
      yield* TestClock.adjust("1 second")
      yield* submit(payloadOf("b"))
      yield* says(1, "op.accepted", payloadOf("a"))
      const queue = yield* OpQueue.OpQueue
      const names = (list: ReadonlyArray<{ readonly op: string }>) => list.map(({ op }) => op)
      expect(names(yield* queue.list(undefined))).toEqual([nameOf(payloadOf("b")), nameOf(payloadOf("a"))])
      expect(names(yield* queue.list("accepted"))).toEqual([nameOf(payloadOf("a"))])
      expect((yield* queue.list(undefined))[0]).toMatchObject({ node: "pve", host: hostA })
    }).pipe(Effect.provide(services)))
})
