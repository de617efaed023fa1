import { humanDuration } from "@felhom/domain/HumanText"
import type { OpState } from "@felhom/domain/OpsApi"
import { Option } from "effect"
import { doubt, type ToldOp, type Word } from "./HostWord.ts"
import { type Cell, type Column, paint, renderTable, type Tone, toned } from "./Table.ts"

const columns: ReadonlyArray<Column> = [
  { title: "OP" },
  { title: "HOST", atMost: 32 },
  { title: "STATE" },
  { title: "WHAT IT SAYS IT IS", atMost: 60 },
  { title: "SIGNED", align: "right" },
  { title: "BY", atMost: 24 },
  { title: "CHANGED" },
  { title: "WHOSE WORD" },
  { title: "WHAT IT SAYS", atMost: 240 }
]

const tones: { readonly [state in OpState]: Tone } = {
  collecting: "warning",
  awaiting: "warning",
  accepted: "strong",
  waiting: "warning",
  started: "strong",
  finished: "good",
  failed: "bad",
  unknown: "bad",
  refused: "bad",
  expired: "dim"
}

/** How much of an op's hash is enough to name it. */
export const shortOp = 12

const words: { readonly [by in Word["by"]]: Cell } = {
  host: toned("good", "the host's"),
  hub: toned("warning", "the hub's alone"),
  forger: toned("bad", "NOT THE HOST'S"),
  nobody: toned("dim", "-")
}

const row = ({ message, state, summary: op, word }: ToldOp, now: number): ReadonlyArray<Cell> => {
  const { op: what, target } = op.claim
  return [
    op.op.slice(0, shortOp),
    op.node ?? op.host.slice(0, 8),
    toned(tones[state], state),
    what === null ? toned("dim", "?") : `${what}${target === null ? "" : ` ${target}`}`,
    op.submittedBy === null ? toned("dim", "-") : `${op.signatures} of ${op.needs}`,
    op.submittedBy ?? toned("warning", "not through this hub"),
    `${humanDuration(now - op.changedAt)} ago`,
    words[word.by],
    message ?? toned("dim", "-")
  ]
}

/** Each doubt once, with the ops that it is about. */
const doubts = (ops: ReadonlyArray<ToldOp>): ReadonlyArray<Cell> => {
  const byWhy = new Map<string, Array<string>>()
  for (const op of ops) {
    const why = Option.getOrUndefined(doubt(op))
    if (why !== undefined) byWhy.set(why, [...(byWhy.get(why) ?? []), op.summary.op.slice(0, shortOp)])
  }
  return Array.from(byWhy, ([why, names]) => {
    const shown = names.slice(0, 5).join(", ")
    const more = names.length > 5 ? ` and ${names.length - 5} more` : ""
    return toned("warning", `${shown}${more}: ${why}`)
  })
}

/** What `felhom ops` shows. `now` in milliseconds since the epoch. */
export const renderOps = (
  ops: ReadonlyArray<ToldOp>,
  now: number,
  colours: boolean
): ReadonlyArray<string> => {
  if (ops.length === 0) return ["no signed op is open or ended lately"]
  const below = doubts(ops)
  return [
    ...renderTable(columns, ops.map((op) => row(op, now)), colours),
    ...(below.length === 0 ? [] : ["", ...below.map((line) => paint(line, colours))])
  ]
}
