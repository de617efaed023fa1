import { version } from "@felhom/domain/Version"
import { launch } from "@felhom/node/Program"
import { join } from "node:path"
import { plainDaemon } from "./DaemonArguments.ts"

const args = process.argv.slice(2)

// What the command line would print, and would take many times as long to load for.
if (args.length === 1 && args[0] === "--version") process.stdout.write(`${version}\n\n`)
else launch(join(import.meta.dirname, "agent"), plainDaemon(args) === undefined ? "commands" : "daemon")
