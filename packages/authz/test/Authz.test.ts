import { describe, it } from "@effect/vitest"
import * as Authz from "@felhom/authz/Authz"
import * as HubTime from "@felhom/authz/HubTime"
import { HostEpoch, HostId } from "@felhom/domain/HostId"
import type { Ed25519, Ed25519Key } from "@felhom/domain/port/Ed25519"
import { StorageId } from "@felhom/domain/ProxmoxId"
import { longestOp, opType } from "@felhom/domain/SignedOp"
import { encodeAttachedSigners } from "@felhom/domain/SignersDocument"
import { EpochMillis } from "@felhom/domain/Time"
import { DurableLogError } from "@felhom/durable/DurableLogError"
import { Hold } from "@felhom/durable/Hold"
import { ClockBehind, NonceSpent, NonceStore } from "@felhom/durable/NonceStore"
import { Mandate } from "@felhom/mandate/Mandate"
import { layer as ed25519 } from "@felhom/node/NodeEd25519"
import { Effect, Encoding, Layer, TestClock } from "effect"
import { expect } from "vitest"
import { makeFiles, paths, policy, sha256, signed, signedText, textOf } from "./Fleet.ts"
import { keyText, namespace, newKey } from "./Signing.ts"

const now = 1_800_000_000_000
const host = HostId.make("5".repeat(32))
const epoch = HostEpoch.make("6".repeat(32))

const opText = (op: object = release) =>
  JSON.stringify({
    typ: opType,
    host,
    hostEpoch: epoch,
    nonce: "a".repeat(32),
    iat: now,
    nbf: now,
    exp: now + 3_600_000,
    storeSeqMin: 0,
    reason: "as the test wants it",
    params: {},
    ...op
  })

const release = { op: "hold.release", target: {}, expect: { since: 5 } }
const removal = { op: "storage.remove", target: { storage: "nas" }, expect: { type: "dir" } }

type Store = typeof NonceStore.Service

/** A host that Anna signs for, on a store of nonces that does what the test wants. */
const withHost = <A, E>(
  use: (scene: {
    readonly authz: typeof Authz.Authz.Service
    readonly heard: (ago: number) => Effect.Effect<void>
    readonly anna: Ed25519Key
    readonly rootList: string
    readonly sign: (text: string) => ReturnType<typeof signedText>
  }) => Effect.Effect<A, E, Ed25519>,
  store: Partial<Store> = {},
  hold: Partial<typeof Hold.Service> = { current: Effect.succeedNone }
) =>
  Effect.gen(function*() {
    yield* TestClock.setTime(now)
    const anna = yield* newKey
    const rootList = `anna ${keyText(anna)}\n`
    const files = makeFiles({ [paths.signers]: rootList })
    const nonces = Layer.mock(NonceStore, {
      hostEpoch: Effect.succeed(epoch),
      storeSeq: Effect.succeed(7),
      trustedTime: Effect.succeed(EpochMillis.make(now)),
      isSpent: () => Effect.succeed(false),
      spend: () => Effect.void,
      ...store
    })
    const layer = Authz.layer(host).pipe(
      Layer.provideMerge(Layer.merge(files.layer, HubTime.layer)),
      Layer.provide([nonces, Layer.mock(Hold, hold), Mandate.mintLayer])
    )
    return yield* Effect.gen(function*() {
      const hub = yield* HubTime.HubTime
      return yield* use({
        authz: yield* Authz.Authz,
        heard: (ago) => hub.heard(EpochMillis.make(now - ago)),
        anna,
        rootList,
        sign: (text) => signedText(text, [anna], namespace)
      })
    }).pipe(Effect.provide(layer))
  }).pipe(Effect.provide(ed25519))

const nobodyWaits = () => false

const broken = new DurableLogError({ reason: "damaged", path: "/state/nonces.log", detail: "bytes 9 to 12" })

describe("an op", () => {
  it.effect("is not even decoded where it is too long for that, and not verified with more than 16 signatures", () =>
    withHost(({ authz, sign }) =>
      Effect.gen(function*() {
        const refusalOf = (payload: string, signatures: ReadonlyArray<string> = []) =>
          Effect.flip(authz.receive({ payload, signatures }, "hub", nobodyWaits))
        const ofLength = (length: number) => refusalOf(Encoding.encodeBase64("x".repeat(length)))
        expect(yield* ofLength(longestOp)).toMatchObject({ reason: "threshold" })
        for (const length of [longestOp + 1, longestOp + 2]) {
          expect(yield* ofLength(length)).toMatchObject({
            reason: "size",
            detail: "its payload is longer than 16384 bytes",
            payload: sha256("x".repeat(length)),
            action: null
          })
        }
        // No base64 either, which nobody finds out.
        expect(yield* refusalOf("!".repeat(21_849))).toMatchObject({
          reason: "size",
          detail: "its payload is longer than 16384 bytes",
          payload: null
        })
        expect(yield* refusalOf("!".repeat(21_848))).toMatchObject({ reason: "encoding", payload: null })
        const { payload, signatures: [one = ""] } = yield* sign(opText())
        const of = (count: number) => Array.from({ length: count }, () => one)
        expect(yield* refusalOf(payload, of(17))).toMatchObject({
          reason: "size",
          detail: "it has 17 signatures, more than 16",
          payload: sha256(opText())
        })
        const taken = yield* authz.receive({ payload, signatures: of(16) }, "hub", nobodyWaits)
        expect(taken).toMatchObject({ payload: sha256(opText()), principals: ["anna"], attachment: null })
      })
    ))

  it.effect("is refused while the record of nonces can't be read, whatever of it is asked for", () =>
    Effect.gen(function*() {
      const stores: ReadonlyArray<Partial<Store>> = [
        { hostEpoch: broken },
        { storeSeq: broken },
        { trustedTime: broken },
        { isSpent: () => broken }
      ]
      for (const store of stores) {
        const error = yield* withHost(
          ({ authz, sign }) =>
            Effect.flatMap(sign(opText(removal)), (op) => Effect.flip(authz.receive(op, "hub", nobodyWaits))),
          store
        )
        expect(error).toMatchObject({
          reason: "store",
          detail: broken.message,
          action: "storage.remove",
          subject: "nas"
        })
        expect(error.message).toMatch(/until then nothing is destroyed here$/)
      }
    }))

  it.effect("is refused by a clock that was set back, unless it is the one that begins the record anew", () =>
    withHost(
      ({ authz, sign }) =>
        Effect.gen(function*() {
          const reanchor = { op: "store.reanchor", target: {}, expect: { storeSeq: 7 } }
          const refused = yield* Effect.flip(authz.receive(yield* sign(opText()), "console", nobodyWaits))
          expect(refused).toMatchObject({ reason: "clock-behind", detail: expect.stringContaining("2027-") })
          expect((yield* authz.receive(yield* sign(opText(reanchor)), "console", nobodyWaits)).op.op).toBe(
            "store.reanchor"
          )
        }),
      { trustedTime: new ClockBehind({ now: EpochMillis.make(now), lastSeen: EpochMillis.make(now + 3_600_000) }) }
    ))

  it.effect("of the hub is refused where its clock and the host's differ, with by how much and which way", () =>
    withHost(({ authz, heard, sign }) =>
      Effect.gen(function*() {
        const op = yield* sign(opText())
        const answers: ReadonlyArray<readonly [ago: number, detail: string | undefined]> = [
          [120_000, undefined],
          [-120_000, undefined],
          [120_001, "the host's clock is 120 s ahead of the hub's"],
          [-130_000, "the host's clock is 130 s behind the hub's"]
        ]
        for (const [ago, detail] of answers) {
          yield* heard(ago)
          const answer = authz.receive(op, "hub", nobodyWaits).pipe(
            Effect.match({ onFailure: (error) => error.detail, onSuccess: () => undefined })
          )
          expect(yield* answer).toBe(detail)
          expect((yield* authz.receive(op, "console", nobodyWaits)).principals).toEqual(["anna"])
        }
      })
    ))

  it.effect("is looked at 64 times at once when it comes from the hub, and as often as root likes", () =>
    withHost(({ authz }) =>
      Effect.gen(function*() {
        const nothing = { payload: "", signatures: [] }
        const reasons = (origin: Authz.OpOrigin) =>
          Effect.forEach(
            Array.from({ length: 66 }),
            () => Effect.map(Effect.flip(authz.receive(nothing, origin, nobodyWaits)), ({ reason }) => reason)
          )
        expect((yield* reasons("hub")).filter((reason) => reason === "rate")).toHaveLength(2)
        expect(yield* reasons("console")).not.toContain("rate")
        yield* TestClock.adjust("30 seconds")
        expect((yield* reasons("hub")).filter((reason) => reason === "threshold")).toHaveLength(32)
        expect((yield* Effect.flip(authz.receive(nothing, "hub", nobodyWaits))).detail).toBe(
          "the hub sends more ops than this host looks at"
        )
      })
    ))

  it.effect("says against what of the host's it stands, with both sides of it", () =>
    withHost(({ authz, sign }) =>
      Effect.gen(function*() {
        const time = (at: number) => new Date(at).toISOString()
        const other = "7".repeat(32)
        const cases: ReadonlyArray<readonly [op: object, reason: string | undefined, detail: string | undefined]> = [
          [{ host: other }, "other-host", `it is for the host ${other}`],
          [{ hostEpoch: other }, "other-epoch", `it is for the epoch ${other}; this host's is ${epoch}`],
          [{ storeSeqMin: 7 }, undefined, undefined],
          [{ storeSeqMin: 8 }, "store-behind", "the host knows 7 changes, and once knew 8"],
          [{ nbf: now + 1 }, "too-early", `it is good from ${time(now + 1)} on, and it is ${time(now)}`],
          [
            { iat: now - 9, nbf: now - 9, exp: now },
            "too-late",
            `it was good until ${time(now)}, and it is ${time(now)}`
          ],
          [{ iat: now - 9, nbf: now - 9, exp: now + 1 }, undefined, undefined],
          [{ iat: now + 120_000 }, undefined, undefined],
          [
            { iat: now + 120_001 },
            "issued-ahead",
            `it says it was made at ${time(now + 120_001)}, and it is ${time(now)}`
          ]
        ]
        for (const [op, reason, detail] of cases) {
          const found = authz.receive(yield* sign(opText({ ...removal, ...op })), "hub", nobodyWaits).pipe(
            Effect.match({
              onFailure: (error) => [error.reason, error.detail, error.action, error.subject],
              onSuccess: () => [undefined, undefined, "storage.remove", "nas"]
            })
          )
          expect(yield* found).toEqual([reason, detail, "storage.remove", "nas"])
        }
      })
    ))

  it.effect("on a held host says since when and why it is held, unless it is the one that releases it", () =>
    withHost(
      ({ authz, sign }) =>
        Effect.gen(function*() {
          const refused = yield* Effect.flip(authz.receive(yield* sign(opText(removal)), "hub", nobodyWaits))
          expect(refused).toMatchObject({
            reason: "hold",
            detail: `the host is held since ${new Date(now).toISOString()}: moving house`
          })
          expect((yield* authz.receive(yield* sign(opText()), "hub", nobodyWaits)).op.op).toBe("hold.release")
        }),
      {},
      {
        current: Effect.succeedSome({
          typ: "felhom/hold/v1",
          since: EpochMillis.make(now),
          by: "root",
          reason: "moving house"
        })
      }
    ))

  it.effect("whose bytes come in another form of base64, or whose nonce was used, says so", () =>
    Effect.gen(function*() {
      const used = yield* withHost(
        ({ authz, sign }) =>
          Effect.flatMap(sign(opText(removal)), (op) => Effect.flip(authz.receive(op, "hub", nobodyWaits))),
        { isSpent: () => Effect.succeed(true) }
      )
      expect(used).toMatchObject({ reason: "nonce-spent", detail: "its nonce was used before on this host" })
      const encoded = yield* withHost(({ authz }) =>
        Effect.flip(authz.receive({ payload: "e30", signatures: [] }, "hub", nobodyWaits))
      )
      expect(encoded).toMatchObject({ reason: "encoding", action: null, subject: null })
      expect(encoded.detail).toMatch(/^its payload: .{10}/)
    }))

  it.effect("with the nonce of another that waits is refused", () =>
    withHost(({ authz, sign }) =>
      Effect.gen(function*() {
        const op = yield* sign(opText())
        const refused = yield* Effect.flip(authz.receive(op, "hub", (nonce) => nonce === "a".repeat(32)))
        expect(refused).toMatchObject({
          reason: "nonce-queued",
          detail: "an op with its nonce was accepted and has not ended",
          action: "hold.release",
          subject: null
        })
      })
    ))
})

describe("an op whose turn has come", () => {
  it.effect("gets the mandate for what it destroys, in its signers' names", () =>
    withHost(({ authz, sign }) =>
      Effect.gen(function*() {
        const { mandate } = yield* authz.admit(yield* sign(opText(removal)), "hub")
        if (mandate === null) return yield* Effect.dieMessage("no mandate")
        const nas = { op: "storage.remove", storage: StorageId.make("nas") } as const
        expect(yield* Mandate.redeem(mandate, nas)).toEqual({
          kind: "signed",
          payload: sha256(opText(removal)),
          principals: ["anna"]
        })
      })
    ))

  it.effect("gets none for what is the agent's own affair", () =>
    withHost(({ anna, authz, rootList, sign }) =>
      Effect.gen(function*() {
        const wanted = { version: 1, from: { allowedSigners: rootList }, allowedSigners: rootList, keys: [anna] }
        const list = yield* signed(wanted)
        const wider = policy({ threshold: 1 })
        const own = [
          { op: release },
          { op: { op: "store.reanchor", target: {}, expect: { storeSeq: 7 } } },
          { op: { op: "desired.accept_epoch", target: { epoch }, expect: { epoch: null, version: 0 } } },
          {
            op: { op: "policy.widen", target: { sha256: sha256(wider) }, expect: { sha256: null } },
            document: Encoding.encodeBase64(wider)
          },
          {
            op: {
              op: "signers.update",
              target: { sha256: sha256(textOf(wanted)) },
              params: { version: 1 },
              expect: { version: 0, sha256: sha256(rootList) }
            },
            document: Encoding.encodeBase64(encodeAttachedSigners(list))
          }
        ]
        for (const { document, op } of own) {
          const bytes = yield* sign(opText(op))
          const admitted = yield* authz.admit(document === undefined ? bytes : { ...bytes, document }, "hub")
          expect([admitted.op.op, admitted.mandate]).toEqual([op.op, null])
          expect(admitted.attachment?.op).toBe(document === undefined ? undefined : op.op)
        }
      })
    ))

  it.effect("is not done where its nonce is spent in this very moment, or can't be written down", () =>
    Effect.gen(function*() {
      const reasonOf = (spend: Store["spend"]) =>
        withHost(
          ({ authz, sign }) => Effect.flatMap(sign(opText(removal)), (op) => Effect.flip(authz.admit(op, "hub"))),
          { spend }
        )
      expect(yield* reasonOf((nonce) => new NonceSpent({ nonce }))).toMatchObject({
        reason: "nonce-spent",
        detail: expect.stringContaining("a".repeat(32))
      })
      expect(yield* reasonOf(() => broken)).toMatchObject({ reason: "store", detail: broken.message })
    }))
})
