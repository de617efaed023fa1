import type { Check } from "../selftest/Checklist.ts"

/** What one question of the doctor came to: fine, something to mend, or worth knowing. `detail` may have several lines. */
export interface Finding {
  readonly name: string
  readonly outcome: Check["outcome"]
  readonly detail: string
}

export const fine = (name: string, detail: string): Finding => ({ name, outcome: "passed", detail })
export const mend = (name: string, ...lines: ReadonlyArray<string>): Finding => ({
  name,
  outcome: "failed",
  detail: lines.join("\n")
})
export const worthKnowing = (name: string, ...lines: ReadonlyArray<string>): Finding => ({
  name,
  outcome: "note",
  detail: lines.join("\n")
})
