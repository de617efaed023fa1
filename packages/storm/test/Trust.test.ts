import { describe, expect, it } from "@effect/vitest"
import { decodeSignedOp } from "@felhom/domain/SignedOp"
import { sha256 } from "@felhom/node/NodeCrypto"
import { watch } from "@felhom/storm/invariants/Trust"
import { allowedText, policyText, revokedText, ruled } from "@felhom/storm/RootFiles"
import { quietStage } from "@felhom/storm/Schedule"
import type { Stage } from "@felhom/storm/Stage"
import { Either, Encoding } from "effect"

const both = new Set(["anna", "ben"])

const stageOf = (): Stage => {
  const stage = quietStage()
  ruled(stage, { allowed: both, threshold: 2 })
  return stage
}

/** An op for a document, whose nonce was just spent. */
const signedFor = (stage: Stage, document: string, by: ReadonlyArray<string>, op: object): void => {
  const text = JSON.stringify({
    typ: "felhom/op/v1",
    host: "1".repeat(32),
    hostEpoch: "2".repeat(32),
    nonce: "c".repeat(32),
    iat: 1_800_000_000_000,
    nbf: 1_800_000_000_000,
    exp: 1_800_003_600_000,
    storeSeqMin: 0,
    reason: "a test",
    target: { sha256: sha256(document) },
    ...op
  })
  stage.ledger.ops.set(document, {
    payload: document,
    op: Either.getOrThrow(decodeSignedOp(new TextEncoder().encode(text))),
    signed: { payload: Encoding.encodeBase64(text), signatures: [] },
    by,
    spent: stage.here,
    calls: [],
    effectSeen: false,
    unmetWhenSpent: undefined
  })
}

const widening = { op: "policy.widen", expect: { sha256: null }, params: {} }

/** The host has the document on its disk, taken beside a file of root's. */
const kept = (stage: Stage, name: string, document: string, beside: string): void => {
  const content = { anchor: sha256(beside), sha256: sha256(document), document: Encoding.encodeBase64(document) }
  stage.disk.put(`/state/accepted-${name}.json`, new TextEncoder().encode(JSON.stringify(content)))
  watch().durable?.(stage, "/state")
}

const listOf = (allowed: ReadonlySet<string>, revoked: ReadonlySet<string>): string =>
  JSON.stringify({
    typ: "felhom/signers/v1",
    fleet: "f".repeat(32),
    version: 1,
    from: { allowedSigners: "a".repeat(64), revoked: "b".repeat(64) },
    issued: 1_800_000_000_000,
    allowedSigners: allowedText(allowed),
    revoked: revokedText(revoked),
    reason: "a test"
  })

const updating = { op: "signers.update", expect: { version: 0, sha256: "a".repeat(64) }, params: { version: 1 } }

describe("what operators put in the place of root's files", () => {
  it("is nobody's where no op that was signed names it", () => {
    const stage = stageOf()
    kept(stage, "policy", policyText(1), policyText(2))
    expect(stage.ledger.violation).toMatchObject({ invariant: "I7" })
    stage.end()
  })

  it("takes as many as root's policy wants, and of those whom root lets sign", () => {
    const seen = [["anna", "ben"], ["anna"], ["mallory", "cora"]].map((by) => {
      const stage = stageOf()
      signedFor(stage, policyText(1), by, widening)
      kept(stage, "policy", policyText(1), policyText(2))
      stage.end()
      return stage.ledger.violation?.invariant
    })
    expect(seen).toEqual([undefined, "I7", "I8"])
  })

  it("holds while root's file is the one that it was taken beside", () => {
    const stage = stageOf()
    const list = listOf(new Set(["cora"]), new Set(["ben"]))
    signedFor(stage, list, ["anna", "ben"], updating)
    kept(stage, "signers", list, allowedText(both))
    expect([...stage.ledger.rulesNow.allowed]).toEqual(["cora"])
    ruled(stage, { allowed: new Set(["anna", "ben", "cora"]) })
    expect([...stage.ledger.rulesNow.allowed]).toEqual(["anna", "ben", "cora"])
    // What operators revoked stays so, whoever's list holds.
    expect([...stage.ledger.rulesNow.revoked]).toEqual(["ben"])
    ruled(stage, { allowed: both })
    expect([...stage.ledger.rulesNow.allowed]).toEqual(["cora"])
    stage.end()
  })
})
