import { Option } from "effect"
import { plainDaemon } from "./DaemonArguments.ts"
import { runDaemon } from "./DaemonCommand.ts"
import { runProgram } from "./RunProgram.ts"

// The part of the program that a unit file starts. Without the rest of it, a start takes a fraction of the time.
const { config, output } = plainDaemon(process.argv.slice(2)) ?? { config: undefined, output: "text" as const }

runProgram(
  runDaemon(
    { environment: process.env, terminal: process.stderr.isTTY },
    { config: Option.fromNullable(config), output }
  ),
  { isWrongArguments: () => false, told: (error) => error.message }
)
