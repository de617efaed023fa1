import { describe, it } from "@effect/vitest"
import { Hold } from "@felhom/durable/Hold"
import { NonceStore } from "@felhom/durable/NonceStore"
import { OpJournal } from "@felhom/durable/OpJournal"
import { Effect, Encoding, Option, TestClock } from "effect"
import { expect } from "vitest"
import { type Host, makeHost, minutes, onHost, revokedPath, type Running } from "../op/SignedHost.ts"
import {
  attached,
  listOf,
  policyNow,
  policyPath,
  revokedKey,
  sha256,
  signersNow,
  signVersion,
  updateOf,
  versionText,
  widenTo
} from "./FleetHost.ts"

const policy = (signatures: object) => JSON.stringify({ typ: "felhom/policy/v1", signatures })

const rootList = ({ anna, ben }: Host) => listOf({ anna, ben })

const versionOf = (agent: Running) =>
  Effect.map(
    signersNow(agent),
    ({ held }) => Option.match(held, { onNone: () => 0, onSome: ({ document }) => document.version })
  )

/** An op with its document, in base64. */
const withDocument = (host: Host, agent: Running, op: object, document: string, keys = [host.anna]) =>
  Effect.map(host.signed(agent, op, {}, keys), (signed) => ({ ...signed, document }))

const done = (agent: Running, submission: Effect.Effect.Success<ReturnType<typeof withDocument>>) =>
  Effect.zipRight(agent.fromHub(submission), minutes(1))

describe("the chain of the fleet's signers that the hub serves", () => {
  it.effect("is taken in one go, in its order, also while the host is held; whoever it lets in may sign at once", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      const [before, after] = [rootList(host), listOf({ anna: host.anna })]
      const chain = [
        yield* signVersion(versionText(1, [before, ""], after), [host.anna]),
        yield* signVersion(versionText(2, [after, ""], before), [host.anna])
      ]
      yield* agent.run(Effect.flatMap(Hold, (hold) => hold.set("root", "moving house")))
      yield* agent.signers(...chain)
      expect(agent.kinds()).toEqual(["signers.accepted", "signers.accepted"])
      expect(yield* versionOf(agent)).toBe(2)
      // Served again, it says nothing new; what went before is told of once, and not taken.
      yield* agent.signers(...chain)
      yield* agent.signers(...chain)
      expect(agent.messages().slice(2)).toHaveLength(1)
      expect(agent.messages()[2]).toContain("signers refused (version-behind)")
    }).pipe(Effect.provide(onHost)))

  it.effect("puts out a signer whose op waits in the queue already", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      const list = rootList(host)
      const stop = { op: "storage.remove", target: { storage: "nas" }, expect: { type: "dir" } }
      const first = yield* host.signed(agent, stop, {}, [host.anna])
      const second = yield* host.signed(agent, stop, {}, [host.ben])
      yield* agent.fromHub(first, second)
      yield* agent.signers(yield* signVersion(versionText(1, [list, ""], list, revokedKey(host.ben)), [host.anna]))
      yield* minutes(1)
      expect(agent.messages().filter((message) => message.includes("revoked")).join()).toContain("not begun")
    }).pipe(Effect.provide(onHost)))

  it.effect("waits while the clock stands behind the time that the host has seen, as it would give time back", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      const list = rootList(host)
      const version = yield* signVersion(versionText(1, [list, ""], list, revokedKey(host.ben)), [host.anna])
      yield* agent.run(Effect.flatMap(NonceStore, (store) => store.lastSeenTime))
      yield* TestClock.setTime((yield* host.now) - 6 * 60_000)
      yield* agent.signers(version)
      yield* agent.signers(version)
      expect(agent.messages()).toHaveLength(1)
      expect(agent.messages()[0]).toContain("refused (clock-behind)")
      yield* TestClock.setTime((yield* host.now) + 6 * 60_000)
      yield* agent.signers(version)
      expect(yield* versionOf(agent)).toBe(1)
    }).pipe(Effect.provide(onHost)))

  it.effect("of strangers is refused, however much of it there is, and does not flood the hub with events", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      const list = rootList(host)
      const many = yield* Effect.forEach(
        Array.from({ length: 100 }, (_, index) => index),
        (index) => signVersion(versionText(index + 1, [list, ""], list), [])
      )
      yield* agent.signers(...many)
      yield* agent.signers(...many.slice(50))
      expect(new Set(agent.kinds())).toEqual(new Set(["signers.refused"]))
      expect(agent.kinds().length).toBeLessThanOrEqual(20)
      expect(yield* versionOf(agent)).toBe(0)
    }).pipe(Effect.provide(onHost)))
})

describe("signers.update", () => {
  it.effect("has the host adopt another fleet's list; a restart goes on from there", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      const next = listOf({ ben: host.ben })
      const text = versionText(4, ["another list", ""], next)
      const op = updateOf(text, 4, { version: 0, list: rootList(host) })
      // Anna is trusted now, and Ben is whom the list names: each has to sign what is theirs.
      yield* done(agent, yield* withDocument(host, agent, op, yield* attached(text, [host.anna])))
      expect(agent.messages().at(-1)).toContain("refused (document-content)")
      yield* done(agent, yield* withDocument(host, agent, op, yield* attached(text, [host.ben])))
      expect(agent.kinds().slice(-3)).toEqual(["op.accepted", "signers.accepted", "op.finished"])
      yield* agent.kill
      const again = yield* host.boot(agent.model.present())
      expect(yield* versionOf(again)).toBe(4)
      const third = versionText(5, [next, ""], rootList(host))
      yield* again.signers(yield* signVersion(third, [host.anna]))
      expect(again.messages().at(-1)).toContain("(unlisted)")
      yield* again.signers(yield* signVersion(third, [host.ben]))
      expect(yield* versionOf(again)).toBe(5)
    }).pipe(Effect.provide(onHost)))

  it.effect("is not done once the signers are others than the operator was shown, and says which number it is of", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      const list = rootList(host)
      const text = versionText(4, ["another list", ""], listOf({ ben: host.ben }))
      const document = yield* attached(text, [host.ben])
      const other = yield* attached(text.replace("as the test wants it", "as somebody else does"), [host.ben])
      yield* done(agent, yield* withDocument(host, agent, updateOf(text, 4, { version: 0, list }), other))
      expect(agent.messages().at(-1)).toContain("refused (document-hash)")
      yield* done(agent, yield* withDocument(host, agent, updateOf(text, 4, { version: 3, list }), document))
      expect(agent.messages().at(-1)).toContain("it was not begun")
      expect(agent.messages().at(-1)).toContain("has version 0 of its signers, and not 3")
      yield* done(agent, yield* withDocument(host, agent, updateOf(text, 5, { version: 0, list }), document))
      expect(agent.messages().at(-1)).toContain("it is version 4, and the op says 5")
      expect(yield* versionOf(agent)).toBe(0)
    }).pipe(Effect.provide(onHost)))

  it.effect("needs its document together with it", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      const text = versionText(1, ["another list", ""], rootList(host))
      const op = updateOf(text, 1, { version: 0, list: rootList(host) })
      const submission = yield* withDocument(host, agent, op, yield* attached(text, [host.anna]))
      const { document: _, ...bare } = submission
      yield* agent.fromHub(bare)
      expect(agent.messages().at(-1)).toContain("refused (document-missing)")
      // The hub left it out once; the very same op holds with it.
      yield* agent.fromHub(submission)
      expect(agent.kinds().at(-1)).toBe("op.accepted")
      yield* minutes(1)
      expect(agent.kinds().at(-1)).toBe("op.finished")
      expect(yield* versionOf(agent)).toBe(1)
    }).pipe(Effect.provide(onHost)))
})

describe("policy.widen", () => {
  it.effect("puts a policy in the place of root's, until root edits that", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const [narrow, wide] = [policy({ threshold: 2 }), policy({ thresholds: { "guest.destroy": 2 } })]
      yield* host.put(policyPath, narrow)
      const agent = yield* host.boot()
      const document = Encoding.encodeBase64(wide)
      const both = [host.anna, host.ben]
      yield* done(agent, yield* withDocument(host, agent, widenTo(wide, narrow), document))
      expect(agent.messages().at(-1)).toContain("refused (threshold)")
      yield* done(agent, yield* withDocument(host, agent, widenTo(wide, wide), document, both))
      expect(agent.messages().at(-1)).toContain("another policy holds")
      yield* done(agent, yield* withDocument(host, agent, widenTo(wide, narrow), document, both))
      expect(agent.kinds().slice(-3)).toEqual(["op.accepted", "policy.changed", "op.finished"])
      yield* agent.kill
      const again = yield* host.boot(agent.model.present())
      expect(yield* policyNow(again)).toMatchObject({ sha256: sha256(wide), root: sha256(narrow) })
      const edited = policy({ threshold: 2, verification: false })
      yield* host.put(policyPath, edited)
      expect(yield* policyNow(again)).toMatchObject({ sha256: sha256(edited), root: sha256(edited) })
      yield* host.put(policyPath, narrow)
      expect((yield* policyNow(again)).policy.signatures.threshold).toBe(1)
    }).pipe(Effect.provide(onHost)))

  it.effect("is good on a host without a policy of root's, and refused where nobody could satisfy it", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      for (const bad of [policy({ threshold: 3 }), policy({ softwareKeys: false }), policy({ more: 1 }), "no policy"]) {
        yield* done(agent, yield* withDocument(host, agent, widenTo(bad, null), Encoding.encodeBase64(bad)))
        expect(agent.messages().at(-1)).toContain("refused (document-content)")
      }
      const good = policy({ threshold: 2 })
      yield* done(agent, yield* withDocument(host, agent, widenTo(good, null), Encoding.encodeBase64(good)))
      expect(agent.kinds().at(-1)).toBe("op.finished")
      expect(yield* policyNow(agent)).toMatchObject({ sha256: sha256(good), root: null })
    }).pipe(Effect.provide(onHost)))

  it.effect("that can't be read any more has nothing destroyed until it is mended", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot(new Map([["/state/accepted-policy.json", new TextEncoder().encode("{}")]]))
      yield* agent.fromHub(yield* host.signed(agent, { op: "hold.release", target: {}, expect: { since: 1 } }))
      expect(agent.messages().at(-1)).toContain("refused (policy)")
      expect(agent.messages().at(-1)).toContain("/state/accepted-policy.json")
    }).pipe(Effect.provide(onHost)))
})

describe("an op with what no signer made", () => {
  it.effect("loses nothing but that: a hub can't have the journal refuse it", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      const held = yield* agent.run(Effect.flatMap(Hold, (hold) => hold.set("root", "moving house")))
      const op = { op: "hold.release", target: {}, expect: { since: held.since } }
      const signed = yield* host.signed(agent, op)
      yield* agent.fromHub({ ...signed, signatures: ["\u00e9", ...signed.signatures, "x".repeat(300_000)] })
      expect(agent.kinds().at(-1)).toBe("op.accepted")
      expect(yield* agent.run(Effect.flatMap(OpJournal, (journal) => journal.open))).toHaveLength(1)
    }).pipe(Effect.provide(onHost)))

  it.effect("may bring as much as it may, and the journal holds it", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      const list = `${rootList(host)}#${"x".repeat(60_000)}\n`
      const text = versionText(1, ["another list", ""], list)
      const wide = `${policy({ threshold: 1 })}${" ".repeat(200_000)}`
      yield* agent.fromHub(
        yield* withDocument(host, agent, widenTo(wide, null), Encoding.encodeBase64(wide)),
        yield* withDocument(
          host,
          agent,
          updateOf(text, 1, { version: 0, list: rootList(host) }),
          yield* attached(text, [host.anna, host.ben])
        )
      )
      yield* minutes(1)
      expect(agent.kinds().filter((kind) => kind === "op.finished")).toHaveLength(2)
      yield* host.put(revokedPath, revokedKey(host.ben))
      expect((yield* signersNow(agent)).revoked.keys.size).toBe(1)
    }).pipe(Effect.provide(onHost)))
})
