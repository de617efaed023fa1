import { describe, it } from "@effect/vitest"
import { HubTime } from "@felhom/authz/HubTime"
import type { RefusalReason } from "@felhom/authz/OpRefused"
import type { Ed25519 } from "@felhom/domain/port/Ed25519"
import { EpochMillis } from "@felhom/domain/Time"
import { Hold } from "@felhom/durable/Hold"
import { NonceStore } from "@felhom/durable/NonceStore"
import { Clock, Effect, Encoding, TestClock } from "effect"
import { createHash } from "node:crypto"
import { expect } from "vitest"
import {
  type Host,
  keyLine,
  makeHost,
  minutes,
  onHost,
  paths,
  revokedPath,
  type Running,
  sign,
  snapshotDelete,
  tiny
} from "./SignedHost.ts"

const policy = (signatures: object) => JSON.stringify({ typ: "felhom/policy/v1", signatures })

interface Scene {
  readonly host: Host
  readonly agent: Running
  /** The op as it would be accepted. */
  readonly op: object
}

type Attempt = (scene: Scene) => Effect.Effect<unknown, unknown, Ed25519>

const changed = (changes: object): Attempt => ({ agent, host, op }) =>
  Effect.flatMap(host.signed(agent, op, changes), agent.fromHub)
const good = changed({})
const after = (step: (scene: Scene) => Effect.Effect<unknown, unknown>, attempt: Attempt = good): Attempt => (scene) =>
  Effect.zipRight(step(scene), attempt(scene))
const payloadOf = (text: string): Attempt => ({ agent, host }) => Effect.flatMap(sign(text, [host.anna]), agent.fromHub)
const inTime = (shift: (now: number) => object): Attempt => (scene) =>
  Effect.flatMap(Clock.currentTimeMillis, (now) => changed(shift(now))(scene))

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex")

const widening = (sha256: string) => ({ op: "policy.widen", target: { sha256 }, expect: { sha256: null } })

const withDocument = (named: string, document: string): Attempt => ({ agent, host }) =>
  Effect.flatMap(
    host.signed(agent, widening(named)),
    (signed) => agent.fromHub({ ...signed, document: Encoding.encodeBase64(document) })
  )

/** How each refusal comes about. One that is missing here does not compile. */
const attempts: { readonly [reason in Exclude<RefusalReason, OfTheVerifier>]: Attempt } = {
  size: ({ agent }) => agent.fromHub({ payload: Encoding.encodeBase64("x".repeat(16 * 1024 + 1)), signatures: [] }),
  encoding: ({ agent }) => agent.fromHub({ payload: "no base64!", signatures: [] }),
  rate: ({ agent }) =>
    Effect.forEach(
      Array.from({ length: 90 }, (_, index) => index),
      (index) => agent.fromHub({ payload: Encoding.encodeBase64(String(index)), signatures: [] })
    ),
  "no-signers": after(({ host }) => host.put(paths.signers, undefined)),
  signers: after(({ host }) => host.put(paths.signers, "no list at all")),
  revocations: ({ host, op }) =>
    Effect.gen(function*() {
      const agent = yield* host.boot(new Map(), { revokedRequired: true })
      yield* agent.fromHub(yield* host.signed(agent, op))
      return agent
    }),
  "op-json": payloadOf("{\"typ\":"),
  "op-schema": changed({ extra: 1 }),
  "other-host": changed({ host: "a".repeat(32) }),
  "other-epoch": changed({ hostEpoch: "a".repeat(32) }),
  "store-behind": changed({ storeSeqMin: 1_000_000 }),
  "clock-behind": after(({ agent, host }) =>
    Effect.gen(function*() {
      yield* agent.run(Effect.flatMap(NonceStore, (store) => store.lastSeenTime))
      yield* TestClock.setTime((yield* host.now) - 6 * 60_000)
    })
  ),
  "clock-off": after(({ agent, host }) =>
    Effect.gen(function*() {
      const now = yield* host.now
      yield* agent.run(Effect.flatMap(HubTime, (hub) => hub.heard(EpochMillis.make(now - 130_000))))
    })
  ),
  "issued-ahead": inTime((now) => ({ iat: now + 180_000 })),
  "too-early": inTime((now) => ({ nbf: now + 1000 })),
  "too-late": inTime((now) => ({ iat: now - 5000, nbf: now - 5000, exp: now })),
  policy: after(({ host }) => host.put(paths.policy, "{\"typ\":\"felhom/policy/v1\",\"retention\":1}")),
  hold: after(({ agent }) => agent.run(Effect.flatMap(Hold, (hold) => hold.set("root", "moving house")))),
  "nonce-spent": (scene) =>
    Effect.gen(function*() {
      yield* changed({ nonce: "e".repeat(32), reason: "first" })({ ...scene, op: elsewhere })
      yield* minutes(1)
      yield* changed({ nonce: "e".repeat(32) })(scene)
    }),
  "nonce-queued": (scene) =>
    Effect.gen(function*() {
      yield* good(scene)
      yield* changed({ nonce: "e".repeat(32), reason: "waits" })(scene)
      yield* changed({ nonce: "e".repeat(32) })(scene)
    }),
  "queue-full": ({ agent, host, op }) =>
    Effect.forEach(
      Array.from({ length: 65 }),
      () => Effect.flatMap(host.signed(agent, op), (signed) => Effect.ignore(agent.fromConsole(signed)))
    ),
  "document-missing": ({ agent, host }) => Effect.flatMap(host.signed(agent, widening("a".repeat(64))), agent.fromHub),
  "document-unexpected": ({ agent, host, op }) =>
    Effect.flatMap(host.signed(agent, op), (signed) => agent.fromHub({ ...signed, document: "e30=" })),
  "document-size": withDocument("a".repeat(64), "x".repeat(256 * 1024 + 1)),
  "document-encoding": ({ agent, host }) =>
    Effect.flatMap(
      host.signed(agent, widening("a".repeat(64))),
      (signed) => agent.fromHub({ ...signed, document: "no base64!" })
    ),
  "document-hash": withDocument("a".repeat(64), "{}"),
  "document-content": withDocument(sha256("{}"), "{}"),
  store: after(({ agent }) => Effect.sync(() => void (agent.model.free = 0))),
  unlisted: after(({ host }) => host.put(paths.signers, `${keyLine("ben", host.ben)}\n`)),
  revoked: after(({ host }) => host.revoke(host.anna)),
  namespace: ({ agent, host, op }) =>
    Effect.gen(function*() {
      const text = yield* host.payload(agent, op)
      yield* agent.fromHub(yield* sign(text, [host.anna], "report.v1@felhom.eu"))
    }),
  signature: ({ agent, host, op }) =>
    Effect.gen(function*() {
      const signed = yield* host.signed(agent, op)
      yield* agent.fromHub({ ...signed, payload: Encoding.encodeBase64("{}") })
    }),
  threshold: after(({ host }) => host.put(paths.policy, policy({ thresholds: { "snapshot.delete": 2 } }))),
  "software-key": after(({ host }) => host.put(paths.policy, policy({ softwareKeys: false }))),
  expired: after(({ host }) => host.put(paths.signers, keyLine("anna valid-before=\"20200101Z\"", host.anna))),
  ambiguous: after(({ host }) =>
    host.put(paths.signers, `${keyLine("anna", host.anna)}\n${keyLine("carl", host.anna)}\n`)
  )
}

/** These depend on the signature alone, and are the verifier's own tests' matter. */
type OfTheVerifier =
  | "armor"
  | "blob"
  | "version"
  | "reserved"
  | "hash"
  | "key"
  | "request"
  | "principal"
  | "signer-namespace"
  | "not-yet-valid"
  | "signature-form"
  | "presence"
  | "verification"
  | "flags"

const elsewhere = { op: "storage.remove", target: { storage: "nas" }, expect: { type: "dir" } }

const destroyed = (writes: ReadonlyArray<string>) => writes.filter((write) => !write.includes("/snapshot/before"))

describe("a signed op is refused, told once, and sends nothing to Proxmox", () => {
  for (const [reason, attempt] of Object.entries(attempts)) {
    it.effect(`with ${reason}`, () =>
      Effect.gen(function*() {
        const host = yield* makeHost
        yield* host.sim.change({ _tag: "guest.snapshot", vmid: tiny.vmid, name: "before", description: "" })
        const first = yield* host.boot()
        const op = yield* snapshotDelete(host, tiny, "before")
        const other = yield* attempt({ host, agent: first, op })
        const agent = isRunning(other) ? other : first
        if (reason === "rate") {
          // Nobody floods the hub's events either.
          expect(agent.kinds().filter((kind) => kind === "op.refused").length).toBeLessThanOrEqual(20)
          return
        }
        const refusals = agent.messages().filter((message) => message.includes(`refused (${reason})`))
        expect(refusals).toHaveLength(1)
        expect(agent.events.every(({ subject }) => subject === null || /^[0-9a-f]{64}$/.test(subject))).toBe(true)
        expect(destroyed(yield* host.writes)).toEqual([])
        if (reason !== "nonce-queued" && reason !== "queue-full") {
          expect(yield* host.writes).toEqual([])
        }
      }).pipe(Effect.provide(onHost)))
  }

  it.effect("however often the hub sends it, and holds once another signer has signed the same bytes", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      yield* host.sim.change({ _tag: "guest.snapshot", vmid: tiny.vmid, name: "before", description: "" })
      yield* host.put(paths.policy, policy({ thresholds: { "snapshot.delete": 2 } }))
      const agent = yield* host.boot()
      const text = yield* host.payload(agent, yield* snapshotDelete(host, tiny, "before"))
      const one = yield* sign(text, [host.anna])
      yield* agent.fromHub(one, one)
      yield* agent.fromHub(one)
      expect(agent.kinds()).toEqual(["op.refused"])
      yield* agent.fromHub(yield* sign(text, [host.anna, host.ben]))
      yield* minutes(1)
      expect(agent.kinds()).toEqual(["op.refused", "op.accepted", "op.started", "op.finished"])
    }).pipe(Effect.provide(onHost)))

  it.effect("but a list that went bad leaves the last good one in force, and a revocation holds at once", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      yield* host.sim.change({ _tag: "guest.snapshot", vmid: tiny.vmid, name: "before", description: "" })
      const agent = yield* host.boot()
      const op = yield* snapshotDelete(host, tiny, "before")
      yield* agent.fromHub(yield* host.signed(agent, op, { host: "a".repeat(32) }))
      yield* host.put(paths.signers, "no list at all")
      yield* host.put(revokedPath, keyLine("", host.ben).trim())
      yield* agent.fromHub(yield* host.signed(agent, op, {}, [host.ben]))
      expect(agent.messages().at(-1)).toContain("refused (revoked)")
      yield* agent.fromHub(yield* host.signed(agent, op))
      expect(agent.kinds().at(-1)).toBe("op.accepted")
    }).pipe(Effect.provide(onHost)))
})

const isRunning = (value: unknown): value is Running =>
  typeof value === "object" && value !== null && "fromHub" in value
