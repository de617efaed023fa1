import { describe, expect, it } from "@effect/vitest"
import { decodeSignedOp, type SignedOp } from "@felhom/domain/SignedOp"
import { sha256 } from "@felhom/node/NodeCrypto"
import type { Asked } from "@felhom/storm/Destruction"
import { watch } from "@felhom/storm/invariants/Calls"
import type { KnownOp } from "@felhom/storm/Ledger"
import { quietStage } from "@felhom/storm/Schedule"
import type { Stage } from "@felhom/storm/Stage"
import { Either, Encoding } from "effect"

const stopping = (reason: string, nonce: string, exp: number): { readonly text: string; readonly op: SignedOp } => {
  const text = JSON.stringify({
    typ: "felhom/op/v1",
    host: "1".repeat(32),
    hostEpoch: "2".repeat(32),
    nonce,
    iat: 1_800_000_000_000,
    nbf: 1_800_000_000_000,
    exp,
    storeSeqMin: 0,
    reason,
    op: "guest.stop_hard",
    target: { guest: { type: "lxc", vmid: 101 } },
    expect: {
      identity: { hwaddrs: [], volumes: [], smbiosUuid: null, key: null },
      configHash: "a".repeat(64),
      name: null,
      volumes: [],
      snapshots: []
    },
    params: {}
  })
  return { text, op: Either.getOrThrow(decodeSignedOp(new TextEncoder().encode(text))) }
}

const hour = 3_600_000

/** An op that anna signed, with its nonce spent at this turn. */
const signed = (
  stage: Stage,
  reason: string,
  { exp = 1_800_000_000_000 + hour, nonce = "c".repeat(32), turn = 1 }: {
    readonly exp?: number
    readonly nonce?: string
    readonly turn?: number
  } = {}
): KnownOp => {
  const { op, text } = stopping(reason, nonce, exp)
  const known: KnownOp = {
    payload: reason,
    op,
    signed: { payload: Encoding.encodeBase64(text), signatures: [] },
    by: ["anna"],
    spent: { elapsed: 0, turn, hostTime: 1_800_000_000_000 },
    calls: [],
    effectSeen: false,
    unmetWhenSpent: undefined
  }
  stage.ledger.ops.set(reason, known)
  return known
}

const stop: Asked = {
  method: "POST",
  path: "/nodes/home/lxc/101/status/stop",
  parameters: new Map(),
  headers: {},
  sentAt: 1_800_000_000_000
}

const ruled = (stage: Stage): void => {
  stage.ledger.rules.push({ since: -1, allowed: new Set(["anna"]), revoked: new Set(), threshold: 1 })
}

/** The host's journal names these ops as taken on. */
const journalled = (stage: Stage, ...ops: ReadonlyArray<KnownOp>): void =>
  stage.disk.put(
    "/state/journal.log",
    new TextEncoder().encode(ops.map(({ signed: { payload } }) => payload).join("\n"))
  )

describe("a nonce", () => {
  it("counts as spent where the record has it since the op's epoch began, and not for what was spent before", () => {
    const stage = quietStage()
    const op = signed(stage, "again")
    op.spent = undefined
    const nonce = Buffer.from(sha256(op.op.nonce).slice(0, 32), "hex").swap32()
    const epoch = (hex: string): Buffer => Buffer.from(hex.repeat(32), "hex")
    const recorded = (...parts: ReadonlyArray<Buffer>): boolean => {
      stage.disk.put("/state/nonces.log", Buffer.concat(parts))
      watch.durable?.(stage, "/state/nonces.log")
      return op.spent !== undefined
    }
    expect(recorded(epoch("1"), nonce, epoch("2"))).toBe(false)
    expect(recorded(epoch("1"), nonce, epoch("2"), nonce)).toBe(true)
    stage.end()
  })
})

describe("a destructive call", () => {
  it("counts for the op that the host took on, of two that share a nonce", () => {
    const stage = quietStage()
    ruled(stage)
    const [one, other] = [signed(stage, "one"), signed(stage, "other")]
    journalled(stage, other)
    watch.request?.(stage, stop)
    expect([one.calls.length, other.calls.length]).toEqual([0, 1])
    expect(stage.ledger.violation).toBeUndefined()
    stage.end()
  })

  it("is no better for a good op with the same nonce that the host did not take on", () => {
    const stage = quietStage()
    ruled(stage)
    const over = signed(stage, "over")
    signed(stage, "good", { exp: over.op.exp + hour })
    journalled(stage, over)
    watch.request?.(stage, { ...stop, sentAt: over.op.exp })
    expect(stage.ledger.violation?.invariant).toBe("I4")
    stage.end()
  })

  it("counts for the op whose nonce was spent last, of two that ask for the same", () => {
    const stage = quietStage()
    ruled(stage)
    const one = signed(stage, "one", { turn: 7 })
    const other = signed(stage, "other", { nonce: "d".repeat(32), turn: 9 })
    journalled(stage, one, other)
    watch.request?.(stage, stop)
    expect([one.calls.length, other.calls.length]).toEqual([0, 1])
    stage.end()
  })

  it("is one too many where its nonce led to one before", () => {
    const stage = quietStage()
    ruled(stage)
    journalled(stage, signed(stage, "one"))
    watch.request?.(stage, stop)
    watch.request?.(stage, stop)
    expect(stage.ledger.violation?.invariant).toBe("I2")
    stage.end()
  })

  it("is nobody's where the host took on none of the ops that ask for it, and those are not in order", () => {
    const stage = quietStage()
    ruled(stage)
    const over = signed(stage, "over")
    watch.request?.(stage, { ...stop, sentAt: over.op.exp })
    expect(stage.ledger.violation?.invariant).toBe("I1")
    stage.end()
  })
})
