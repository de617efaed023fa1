import { images } from "../Home.ts"
import type { Watch } from "../Stage.ts"

const verbs: ReadonlySet<string> = new Set(["pct-create", "mount", "smart"])
const longest = 8192

/**
 * I10: root does nothing else for the agent. Its side gets its three verbs only, each one line of JSON with one object, and nothing is
 * made from an archive that brings a script for root to run; held against each line and each request.
 */
export const watch: Watch = {
  request: ({ ledger }, { method, parameters, path }) => {
    if (method === "POST" && [...parameters.values()].includes(images.hooked)) {
      ledger.violated("I10", `${path} from ${images.hooked}, which brings a hook script`)
    }
  },
  askedRoot: ({ ledger }, verb, line) => {
    if (!verbs.has(verb)) return ledger.violated("I10", `root is asked for ${verb}`)
    if (line.length > longest || line.includes("\n") || !/^\{.*\}$/.test(line)) {
      ledger.violated("I10", `root is asked in a way that it does not know: ${line.slice(0, 100)}`)
    }
  }
}
