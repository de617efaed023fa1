import { describe, it } from "@effect/vitest"
import { decodeSignedOp, longestOp, type SignedOpError } from "@felhom/domain/SignedOp"
import { Either, Option } from "effect"
import { expect } from "vitest"

const sha256 = "a".repeat(64)
const id = "0".repeat(32)

const common = {
  typ: "felhom/op/v1",
  host: id,
  hostEpoch: id,
  nonce: "f".repeat(32),
  iat: 1_800_000_000_000,
  nbf: 1_800_000_000_000,
  exp: 1_800_003_600_000,
  storeSeqMin: 7,
  reason: "the family asked for it"
}

const identity = { hwaddrs: ["BC:24:11:00:00:01"], volumes: ["local:9/x.raw"], smbiosUuid: null, key: null }
const seen = {
  identity,
  configHash: sha256,
  name: "attic",
  volumes: [{ volid: "local:9/x.raw", size: 1 }],
  snapshots: [{ name: "before", takenAt: 1_700_000_000 }]
}
const guest = { type: "lxc", vmid: 101 }
const snapshot = { guest, snapshot: "before" }
const ofSnapshot = { ...seen, takenAt: 1_700_000_000 }
const volume = { target: { volid: "local:backup/x.tar" }, expect: { size: 1, createdAt: null }, params: {} }
const proven = { acceptNoProvenBackup: false }

const destroy = {
  ...common,
  op: "guest.destroy",
  target: { guest },
  expect: seen,
  params: { unreferencedDisks: false, ...proven }
}

const every: ReadonlyArray<{ readonly op: string; readonly [key: string]: unknown }> = [
  destroy,
  { ...common, op: "guest.rollback", target: snapshot, expect: ofSnapshot, params: proven },
  { ...common, op: "snapshot.delete", target: snapshot, expect: ofSnapshot, params: {} },
  { ...common, op: "backup.delete", ...volume },
  { ...common, op: "backup.unprotect", ...volume },
  { ...common, op: "guest.stop_hard", target: { guest }, expect: seen, params: {} },
  { ...common, op: "volume.delete", ...volume, params: proven },
  { ...common, op: "storage.remove", target: { storage: "local" }, expect: { type: "dir" }, params: {} },
  { ...common, op: "signers.update", target: { sha256 }, expect: { version: 1, sha256 }, params: { version: 2 } },
  { ...common, op: "policy.widen", target: { sha256 }, expect: { sha256 }, params: {} },
  { ...common, op: "desired.accept_epoch", target: { epoch: id }, expect: { epoch: null, version: 0 }, params: {} },
  { ...common, op: "store.reanchor", target: {}, expect: { storeSeq: 3 }, params: {} },
  { ...common, op: "hold.release", target: {}, expect: { since: 1_800_000_000_000 }, params: {} }
]

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const decoded = (value: unknown) => decodeSignedOp(bytes(JSON.stringify(value)))
const refusalOf = (text: string): SignedOpError | undefined =>
  Option.getOrUndefined(Either.getLeft(decodeSignedOp(bytes(text))))

describe("a signed op", () => {
  for (const one of every) {
    it(`of ${one.op} reads, but not with one key more or less at any level`, () => {
      expect(Either.isRight(decoded(one))).toBe(true)
      expect(Either.isLeft(decoded({ ...one, more: 1 }))).toBe(true)
      for (const part of ["target", "expect", "params"]) {
        expect(Either.isLeft(decoded({ ...one, [part]: { ...Object(one[part]), more: 1 } })), part).toBe(true)
        for (const other of [[], [1], "", 0, null]) expect(Either.isLeft(decoded({ ...one, [part]: other }))).toBe(true)
      }
      for (const name of Object.keys(one)) {
        const { [name]: _, ...less } = one
        expect(Either.isLeft(decoded(less)), name).toBe(true)
      }
    })
  }

  it("of another kind is none, whatever it would do", () => {
    for (const op of ["guest.start", "guest.destroy ", "", "*"]) {
      expect(Either.isLeft(decoded({ ...destroy, op }))).toBe(true)
    }
  })

  it("that says one thing twice says nothing, since readers differ in which they believe", () => {
    const text = JSON.stringify(destroy)
    expect(refusalOf(text)).toBeUndefined()
    for (
      const twice of [
        text.replace("{", `{"op":"guest.stop_hard",`),
        text.replace(`"vmid":101`, `"vmid":101,"vmid":102`)
      ]
    ) {
      expect(refusalOf(twice)?.message).toContain("twice")
    }
  })

  it("must be over in a day, and not before it begins", () => {
    for (const exp of [common.iat, common.iat - 1, common.iat + 24 * 3_600_000 + 1]) {
      expect(Either.isLeft(decoded({ ...destroy, exp }))).toBe(true)
    }
    expect(Either.isRight(decoded({ ...destroy, exp: common.iat + 24 * 3_600_000 }))).toBe(true)
    expect(Either.isLeft(decoded({ ...destroy, nbf: common.exp }))).toBe(true)
  })

  it("says what is wrong with it, and where, in a few words", () => {
    expect(refusalOf(JSON.stringify({ ...destroy, force: 1 }))?.detail).toMatch(/force: is unexpected/)
    expect(refusalOf(JSON.stringify({ ...destroy, exp: common.iat + 1e9 }))?.detail).toContain("more than 24 hours")
    for (const more of [{ nonce: 1 }, { op: "x" }, { expect: {} }]) {
      expect(refusalOf(JSON.stringify({ ...destroy, ...more }))?.message.length).toBeLessThan(1200)
    }
  })

  it("is not longer than 16 KiB, and its nonce not shorter than 128 bits", () => {
    expect(refusalOf(JSON.stringify(destroy).padEnd(longestOp, " "))).toBeUndefined()
    expect(refusalOf(JSON.stringify(destroy).padEnd(longestOp + 1, " "))?.reason).toBe("json")
    expect(Either.isLeft(decoded({ ...destroy, nonce: "f".repeat(31) }))).toBe(true)
  })
})
