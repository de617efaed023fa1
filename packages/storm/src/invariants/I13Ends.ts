import type { Watch } from "../Stage.ts"

/** I13: every op that was accepted ends as one of finished, failed and unknown, and the hub hears of it; held at the end. */
export const watch: Watch = {
  calm: ({ ledger }) => {
    if (ledger.violation !== undefined) return
    for (const payload of ledger.accepted) {
      if (!ledger.ends.has(payload)) ledger.violated("I13", `${payload.slice(0, 16)} was accepted, and has no end`)
    }
    for (const [payload, ends] of ledger.ends) {
      if (ends.size > 1) ledger.violated("I13", `${payload.slice(0, 16)} ended as ${[...ends].join(" and as ")}`)
    }
  }
}
