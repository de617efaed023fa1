import type { Watch } from "../Stage.ts"

const verbs: ReadonlySet<string> = new Set(["pct-create", "mount", "smart"])
const longest = 8192

/** I10: the root side gets its three verbs only, each one line of JSON with one object; held against each line. */
export const watch: Watch = {
  askedRoot: ({ ledger }, verb, line) => {
    if (!verbs.has(verb)) return ledger.violated("I10", `root is asked for ${verb}`)
    if (line.length > longest || line.includes("\n") || !/^\{.*\}$/.test(line)) {
      ledger.violated("I10", `root is asked in a way that it does not know: ${line.slice(0, 100)}`)
    }
  }
}
