import { describe, it } from "@effect/vitest"
import { signedDestruction } from "@felhom/authz/SignedDestruction"
import { decodeSignedOp } from "@felhom/domain/SignedOp"
import { Effect } from "effect"
import { expect } from "vitest"
import { bytes } from "./Signing.ts"

const id = "0".repeat(32)
const sha256 = "a".repeat(64)
const guest = { type: "qemu", vmid: 200 }
const seen = {
  identity: { hwaddrs: [], volumes: [], smbiosUuid: null, key: null },
  configHash: sha256,
  name: "attic",
  volumes: [],
  snapshots: []
}
const proven = { acceptNoProvenBackup: false }
const volume = { target: { volid: "local:backup/x.tar" }, expect: { size: 1, createdAt: null } }
const snapshot = { target: { guest, snapshot: "before" }, expect: { ...seen, takenAt: 1 } }

const destructionOf = (op: object) => {
  const common = { host: id, hostEpoch: id, nonce: "f".repeat(32), storeSeqMin: 0, reason: "as asked", params: {} }
  const times = { iat: 1_800_000_000_000, nbf: 1_800_000_000_000, exp: 1_800_003_600_000 }
  return Effect.map(
    decodeSignedOp(bytes(JSON.stringify({ typ: "felhom/op/v1", ...common, ...times, ...op }))),
    signedDestruction
  )
}

describe("what a signed op allows to be destroyed", () => {
  it.effect("is the very object that it names, and of that what it says", () =>
    Effect.gen(function*() {
      for (const unreferencedDisks of [false, true]) {
        const destroy = {
          op: "guest.destroy",
          target: { guest },
          expect: seen,
          params: { unreferencedDisks, ...proven }
        }
        expect(yield* destructionOf(destroy)).toEqual({ op: "guest.destroy", guest, unreferencedDisks })
      }
      expect(yield* destructionOf({ op: "guest.rollback", ...snapshot, params: proven })).toEqual({
        op: "guest.rollback",
        guest,
        snapshot: "before"
      })
      expect(yield* destructionOf({ op: "snapshot.delete", ...snapshot })).toEqual({
        op: "snapshot.delete",
        guest,
        snapshot: "before"
      })
      expect(yield* destructionOf({ op: "guest.stop_hard", target: { guest }, expect: seen })).toEqual({
        op: "guest.stop_hard",
        guest
      })
      for (const op of ["backup.delete", "backup.unprotect", "volume.delete"]) {
        const params = op === "volume.delete" ? proven : {}
        expect(yield* destructionOf({ op, ...volume, params })).toEqual({ op, volid: volume.target.volid })
      }
      const storage = { op: "storage.remove", target: { storage: "nas" }, expect: { type: "dir" } }
      expect(yield* destructionOf(storage)).toEqual({ op: "storage.remove", storage: "nas" })
    }))

  it.effect("is nothing for what is the agent's own affair", () =>
    Effect.gen(function*() {
      const own = [
        { op: "signers.update", target: { sha256 }, expect: { version: 1, sha256 }, params: { version: 2 } },
        { op: "policy.widen", target: { sha256 }, expect: { sha256 } },
        { op: "desired.accept_epoch", target: { epoch: id }, expect: { epoch: null, version: 0 } },
        { op: "store.reanchor", target: {}, expect: { storeSeq: 3 } },
        { op: "hold.release", target: {}, expect: { since: 1 } }
      ]
      for (const op of own) expect(yield* destructionOf(op)).toBeNull()
    }))
})
