import * as Form from "./ConfigForm.ts"
import { type Finding, impossible, type KeyFinding, keyFindings, runs, type Seen } from "./Finding.ts"

const mib = 1024 ** 2

/** Room that a running guest keeps above what it uses: a tenth of it, and 64 MiB at least. */
export const memoryMargin = (used: number): number => Math.max(64 * mib, Math.ceil(used / 10))

const isKey = (finding: Finding): finding is KeyFinding => finding.found === "key"

/** The most that a guest may use for a limit of so many bytes. */
const mostUsed = (limit: number): number => {
  const most = Math.min(limit - 64 * mib, Math.floor((limit * 10) / 11))
  return Math.max(0, most)
}

const starving = (finding: KeyFinding, reason: string): Finding =>
  impossible("settings", finding.key, reason, { old: finding.old, new: finding.new })

const inMib = (bytes: number): string => `${Math.ceil(bytes / mib)} MiB`

const lowered = (finding: KeyFinding, wished: number, used: number | null): Finding => {
  const limit = wished * mib
  if (used === null) return starving(finding, "it is not known how much memory the guest uses, so it is not made less")
  return used + memoryMargin(used) > limit
    ? starving(
      finding,
      `it uses ${inMib(used)}, and ${wished} MiB would leave it too little: free memory in it, or shut it down first`
    )
    : { ...finding, memoryBelow: mostUsed(limit) }
}

/** What takes from a guest what it may be using: while it is stopped, where it is or the plan shuts it down, or as `lower` says. */
const whereLess = (
  findings: ReadonlyArray<Finding>,
  wished: number,
  seen: Seen,
  lower: (finding: KeyFinding) => Finding
): ReadonlyArray<Finding> =>
  findings.map((finding) => {
    const takes = isKey(finding) && finding.effect === "now" && !(wished >= Number(finding.old))
    if (!takes) return finding
    return seen.stops || !runs(seen) ? { ...finding, onlyStopped: true } : lower(finding)
  })

/** Never below what a running guest uses and a margin (protocol 4). */
export const memoryFindings = (wished: number, seen: Seen): ReadonlyArray<Finding> =>
  whereLess(
    keyFindings(seen, { drift: "settings", key: "memory", form: Form.memory, text: String(wished) }),
    wished,
    seen,
    (finding) => lowered(finding, wished, seen.guest.memoryUsed)
  )

/** The host does not tell how much of it a guest uses, so a running one's is never made less. */
export const swapFindings = (wished: number, seen: Seen): ReadonlyArray<Finding> =>
  whereLess(
    keyFindings(seen, { drift: "settings", key: "swap", form: Form.numeric("512"), text: String(wished) }),
    wished,
    seen,
    (finding) => starving(finding, "it is not known how much swap the guest uses: shut it down first")
  )
