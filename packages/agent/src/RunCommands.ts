import { ValidationError } from "@effect/cli"
import * as NodePath from "@effect/platform-node/NodePath"
import * as NodeTerminal from "@effect/platform-node/NodeTerminal"
import { Effect } from "effect"
import { runCli } from "./Cli.ts"
import { runProgram } from "./RunProgram.ts"

// The part of the program that reads a whole command line, and all that it can ask for.
runProgram(
  runCli({ environment: process.env, terminal: process.stderr.isTTY })(process.argv).pipe(
    Effect.provide([NodePath.layer, NodeTerminal.layer])
  ),
  {
    isWrongArguments: ValidationError.isValidationError,
    // By the library of wrong arguments, by a selftest of its steps.
    told: (error) =>
      ValidationError.isValidationError(error) || error._tag === "SelftestFailed" ? undefined : error.message
  }
)
