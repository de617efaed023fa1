import { sha256 } from "@felhom/node/NodeCrypto"
import { type Asked, type Destruction, destructionOf, targetOf } from "../Destruction.ts"
import type { KnownOp } from "../Ledger.ts"
import type { InvariantName } from "../Ledger.ts"
import type { Stage, Watch } from "../Stage.ts"
import { isDone, unmetOf } from "../Truth.ts"
import * as I02 from "./I02NonceOnce.ts"
import * as I03 from "./I03NonceDurable.ts"
import * as I04 from "./I04Expiry.ts"
import * as I07 from "./I07Threshold.ts"
import * as I08 from "./I08Revoked.ts"
import * as I09 from "./I09Expect.ts"
import * as I16 from "./I16Hold.ts"

/** What a destructive call must be, held against the op that it may come of; says what is wrong. */
export interface CallCheck {
  readonly invariant: InvariantName
  readonly check: (stage: Stage, op: KnownOp, asked: Asked) => string | undefined
}

const checks: ReadonlyArray<CallCheck> = [I03, I02, I04, I08, I07, I09, I16]

const nonceLog = "/state/nonces.log"
const journal = "/state/journal.log"

/** How the record of spent nonces has one: the first 16 bytes of its hash, in words of the other byte order. */
const recorded = (nonce: string): Buffer => Buffer.from(sha256(nonce).slice(0, 32), "hex").swap32()

/** Whether the record of spent nonces has this op's since its epoch began: what was spent before that may be spent again. */
const isRecorded = (record: Buffer, { hostEpoch, nonce }: KnownOp["op"]): boolean =>
  record.includes(recorded(nonce), Math.max(0, record.lastIndexOf(Buffer.from(hostEpoch, "hex"))))

const wrongs = (stage: Stage, op: KnownOp, asked: Asked) =>
  checks.flatMap(({ check, invariant }) => {
    const detail = check(stage, op, asked)
    return detail === undefined ? [] : [{ invariant, detail }]
  })

/** The agent takes away what it made itself, as long as nobody ever started it and no other guest has its number. */
const isOwn = ({ ledger }: Stage, { op, target }: Destruction): boolean => {
  const vmid = Number(target.split("/")[1])
  return op === "guest.destroy" && ledger.made.has(vmid) && !ledger.started.has(vmid)
}

/** Those that the host wrote down as taken on: of ops that share a nonce it is one, and what is done is done for that. */
const taken = ({ disk }: Stage, candidates: ReadonlyArray<KnownOp>): ReadonlyArray<KnownOp> => {
  const kept = candidates.length === 0 ? undefined : disk.certain(journal)
  if (kept === undefined) return []
  const bytes = Buffer.from(kept.buffer, kept.byteOffset, kept.byteLength)
  return candidates.filter(({ signed }) => bytes.includes(signed.payload))
}

/** Of two that are as good it is the one whose nonce was spent last: a call follows at once, or never. */
const spentAt = ({ spent }: KnownOp): number => spent?.turn ?? -1

const judged = (stage: Stage, asked: Asked): void => {
  const destruction = destructionOf(asked)
  if (destruction === undefined) {
    if (asked.method !== "GET") stage.ledger.changes += 1
    return
  }
  const { ledger } = stage
  const what = `${asked.method} ${asked.path}`
  const candidates = [...ledger.ops.values()].filter(({ op }) =>
    op.op === destruction.op && targetOf(op) === destruction.target
  )
  const accepted = taken(stage, candidates)
  const found = (accepted.length === 0 ? candidates : accepted).map((op) => ({ op, wrong: wrongs(stage, op, asked) }))
    .sort((one, other) => one.wrong.length - other.wrong.length || spentAt(other.op) - spentAt(one.op))
  const [best] = found
  if (isOwn(stage, destruction) && (best === undefined || best.wrong.length > 0)) return
  // What was signed at some time and never taken on is nothing that the call could be for, unless nothing is wrong with it.
  if (best === undefined || (accepted.length === 0 && best.wrong.length > 0)) {
    return ledger.violated("I1", `${what}: nobody signed ${destruction.op} of ${destruction.target}`)
  }
  best.op.calls.push(ledger.here)
  ledger.destroyed += 1
  const [first] = best.wrong
  if (first !== undefined) {
    ledger.violated(first.invariant, `${what} for ${best.op.payload.slice(0, 16)}: ${first.detail}`)
  }
}

/**
 * I1: no destructive call without an operator's signature over exactly that, but for what the agent made itself; looked at as each
 * request leaves for Proxmox.
 */
export const watch: Watch = {
  request: (stage, asked) => {
    for (const vmid of stage.ledger.made) {
      if (stage.machine.guests.get(vmid)?.running === true) stage.ledger.started.add(vmid)
    }
    const made = asked.method === "POST" && /\/(?:lxc|qemu)$/.test(asked.path)
      ? Number(asked.parameters.get("vmid"))
      : undefined
    if (made !== undefined) stage.ledger.created.push(made)
    if (made !== undefined && !stage.machine.guests.has(made)) {
      stage.ledger.made.add(made)
      stage.ledger.started.delete(made)
    }
    for (const op of stage.ledger.ops.values()) {
      if (op.calls.length > 0 && !op.effectSeen) op.effectSeen = isDone(stage.machine, op.op)
    }
    judged(stage, asked)
  },
  durable: (stage, path) => {
    if (!path.startsWith(nonceLog) && path !== "/state") return
    const certain = stage.disk.certain(nonceLog)
    if (certain === undefined) return
    const bytes = Buffer.from(certain.buffer, certain.byteOffset, certain.byteLength)
    for (const op of stage.ledger.ops.values()) {
      if (op.spent !== undefined || !isRecorded(bytes, op.op)) continue
      op.spent = stage.here
      op.unmetWhenSpent = unmetOf(stage.machine, op.op)
    }
  }
}
