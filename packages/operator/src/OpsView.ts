import { humanDuration } from "@felhom/domain/HumanText"
import type { OpState, OpSummary } from "@felhom/domain/OpsApi"
import { type Cell, type Column, renderTable, type Tone, toned } from "./Table.ts"

const columns: ReadonlyArray<Column> = [
  { title: "OP" },
  { title: "HOST", atMost: 32 },
  { title: "STATE" },
  { title: "WHAT IT SAYS IT IS", atMost: 60 },
  { title: "SIGNED", align: "right" },
  { title: "BY", atMost: 24 },
  { title: "CHANGED" },
  { title: "THE HOST SAYS", atMost: 240 }
]

const tones: { readonly [state in OpState]: Tone } = {
  collecting: "warning",
  awaiting: "warning",
  accepted: "strong",
  started: "strong",
  finished: "good",
  failed: "bad",
  unknown: "bad",
  refused: "bad",
  expired: "dim"
}

/** How much of an op's hash is enough to name it. */
export const shortOp = 12

const row = (op: OpSummary, now: number): ReadonlyArray<Cell> => {
  const { op: what, target } = op.claim
  return [
    op.op.slice(0, shortOp),
    op.node ?? op.host.slice(0, 8),
    toned(tones[op.state], op.state),
    what === null ? toned("dim", "?") : `${what}${target === null ? "" : ` ${target}`}`,
    op.submittedBy === null ? toned("dim", "-") : `${op.signatures} of ${op.needs}`,
    op.submittedBy ?? toned("warning", "not through this hub"),
    `${humanDuration(now - op.changedAt)} ago`,
    op.message ?? toned("dim", "-")
  ]
}

/** What `felhom ops` shows. `now` in milliseconds since the epoch. */
export const renderOps = (
  ops: ReadonlyArray<OpSummary>,
  now: number,
  colours: boolean
): ReadonlyArray<string> =>
  ops.length === 0
    ? ["no signed op is open or ended lately"]
    : renderTable(columns, ops.map((op) => row(op, now)), colours)
