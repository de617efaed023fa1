import { compile } from "@felhom/node/Program"
import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { record, recorderName } from "./Recorder.ts"

// Where the agent is installed as a package: its compiled code fits one exact Node, so this host's own makes it. Each part is
// loaded and ends at once, since the config that it is given is not there; nothing is asked of anybody.
const nowhere = "/nonexistent/felhom-agent/config.json"
const parts = { daemon: ["daemon"], commands: ["selftest", "read"] }

const [first, script, ...args] = process.argv.slice(2)
if (first === recorderName && script !== undefined) record(script, args)
else {
  for (const [part, command] of Object.entries(parts)) {
    const path = join(import.meta.dirname, "agent", `${part}.js`)
    spawnSync(
      process.execPath,
      [join(import.meta.dirname, "compile.js"), recorderName, path, ...command, "--config", nowhere],
      { env: {}, stdio: "ignore" }
    )
    const { use } = compile(path)
    if (use.state === "unused") {
      console.error(use.reason)
      process.exitCode = 1
    }
  }
}
