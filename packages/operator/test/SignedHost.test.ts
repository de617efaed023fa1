import { describe, it } from "@effect/vitest"
import { HostId } from "@felhom/domain/HostId"
import { hostPublicKey, reportNamespace } from "@felhom/domain/HostKey"
import { Ed25519, type Ed25519Key } from "@felhom/domain/port/Ed25519"
import { signSshsig, writeArmor } from "@felhom/domain/Sshsig"
import * as NodeCrypto from "@felhom/node/NodeCrypto"
import * as NodeEd25519 from "@felhom/node/NodeEd25519"
import { KnownHosts, type LastSeen } from "@felhom/operator/KnownHosts"
import { trusted } from "@felhom/operator/SignedHost"
import { Effect, Layer, Option, Ref } from "effect"
import { expect } from "vitest"
import { detail, guest, hostId, wireDetail, wireSummary } from "./HostBuilder.ts"

const { inventory, samples, sections } = wireDetail([guest(101)])

/** A report as the host would write it; keys of a newer agent are in it, too. */
const report = (more: object = {}) =>
  JSON.stringify({
    typ: "felhom/report/v1",
    host: { ...wireSummary().host, mood: "fine" },
    sequence: 7,
    takenAt: 1_790_000_000_000,
    inventoryHash: "d".repeat(64),
    inventory,
    samples,
    sections,
    events: [],
    eventsDropped: 0,
    ...more
  })

const signed = (key: Ed25519Key, text: string, served = text) =>
  Effect.map(signSshsig(key, reportNamespace, new TextEncoder().encode(text)), (blob) => ({
    payload: Buffer.from(served).toString("base64"),
    signatures: [writeArmor(blob)]
  }))

/** Somebody who knows the host's key, and remembers what was shown last. */
const makePerson = Effect.gen(function*() {
  const curve = yield* Ed25519
  const key = yield* curve.generate
  const stranger = yield* curve.generate
  const seen = yield* Ref.make(Option.none<LastSeen>())
  const look = (reports: Parameters<typeof trusted>[1]) =>
    Effect.flatMap(Ref.get(seen), (last) =>
      Effect.provideService(trusted(detail([]), reports), KnownHosts, {
        find: (host) => host === HostId.make(hostId) ? Option.some(hostPublicKey(key.publicKey)) : Option.none(),
        pin: () => Effect.void,
        forget: () => Effect.dieMessage("nobody is forgotten here"),
        lastSeen: () => last,
        remember: (_, now) => Ref.set(seen, Option.some(now))
      }))
  const show = (more: object = {}) =>
    Effect.flatMap(signed(key, report(more)), (one) => look(Option.some({ report: one, inventory: one })))
  const refused = (more: object) => Effect.map(Effect.flip(show(more)), ({ message }) => message)
  return { key, stranger, look, show, refused }
})

const crypto = Layer.merge(NodeEd25519.layer, NodeCrypto.layer)

describe("what a host signed", () => {
  it.effect("is shown instead of what the hub says of it", () =>
    Effect.gen(function*() {
      const { show } = yield* makePerson
      const { detail, trust } = yield* show()
      expect(trust.state).toBe("signed")
      expect(detail.summary.sequence).toBe(7)
      expect(detail.inventory?.guests).toMatchObject({ value: [{ vmid: 101 }] })
    }).pipe(Effect.provide(crypto)))

  it.effect("is refused with one letter changed, with no signature, or by another key", () =>
    Effect.gen(function*() {
      const { key, look, stranger } = yield* makePerson
      const attempt = (served: { readonly payload: string; readonly signatures: ReadonlyArray<string> }) =>
        Effect.map(Effect.flip(look(Option.some({ report: served, inventory: null }))), ({ message }) => message)
      expect(yield* attempt(yield* signed(key, report(), report({ sequence: 8 })))).toContain(
        "not those that were signed"
      )
      expect(yield* attempt({ ...(yield* signed(key, report())), signatures: [] })).toContain("there is none")
      expect(yield* attempt(yield* signed(stranger, report()))).toContain("by another key")
      expect((yield* Effect.flip(look(Option.none()))).message).toContain("no signed report of it")
    }).pipe(Effect.provide(crypto)))

  it.effect("is refused when it is of another host", () =>
    Effect.gen(function*() {
      const { refused } = yield* makePerson
      expect(yield* refused({ host: { ...wireSummary().host, id: "f".repeat(32) } })).toContain("as this one's")
    }).pipe(Effect.provide(crypto)))

  it.effect("is refused when it is older than what was seen: by number, by incarnation, or by time", () =>
    Effect.gen(function*() {
      const { refused, show } = yield* makePerson
      const host = (epoch: string) => ({ ...wireSummary().host, epoch: epoch.repeat(32) })
      yield* show()
      yield* show()
      yield* show({ sequence: 8 })
      expect(yield* refused({ sequence: 7 })).toContain("serves report 7, and report 8 was seen before")
      expect(yield* refused({ sequence: 8, takenAt: 1_790_000_000_001 })).toContain(
        "two different reports with the number 8"
      )
      expect(yield* refused({ host: host("2"), sequence: 9, takenAt: 1 })).toContain("older than one seen before")
      yield* show({ host: host("2"), sequence: 1, takenAt: 1_790_000_100_000 })
      expect(yield* refused({ host: host("1"), sequence: 99, takenAt: 1_790_000_200_000 })).toContain(
        "earlier incarnation"
      )
    }).pipe(Effect.provide(crypto)))

  it.effect("brings its inventory from an earlier report only if the host signed that, and means that one", () =>
    Effect.gen(function*() {
      const { key, look, stranger } = yield* makePerson
      const bare = yield* signed(key, report({ inventory: null }))
      const from = (carrier: Effect.Effect.Success<ReturnType<typeof signed>>) =>
        look(Option.some({ report: bare, inventory: carrier }))
      expect((yield* from(yield* signed(key, report({ sequence: 3 })))).detail.inventory).not.toBeNull()
      const other = yield* signed(key, report({ sequence: 3, inventoryHash: "e".repeat(64) }))
      expect((yield* from(other)).detail.inventory).toBeNull()
      const forged = yield* Effect.flip(from(yield* signed(stranger, report({ sequence: 3 }))))
      expect(forged.message).toContain("the report with its inventory")
    }).pipe(Effect.provide(crypto)))
})
