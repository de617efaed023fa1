import { ValidationError } from "@effect/cli"
import { Cause, Option } from "effect"
import type { SelftestFailed } from "./selftest/Checklist.ts"

interface Failure {
  readonly _tag: string
}

const usage: ReadonlySet<string> = new Set([
  "SettingsError",
  "StateFileCorrupt",
  "HostKeyCorrupt",
  "DurableFileError",
  "InstanceLockError"
])

/**
 * 0: fine, or told to stop. 1: the check failed, or the program did. 2: the arguments, the configuration or the state folder
 * must be mended first.
 */
export const exitCodeOf = (cause: Cause.Cause<Failure>): number =>
  Cause.isInterruptedOnly(cause) ? 0 : Option.match(Cause.failureOption(cause), {
    onNone: () => 1,
    onSome: (error) => (ValidationError.isValidationError(error) || usage.has(error._tag) ? 2 : 1)
  })

/** Whether the person has been told already: by the CLI library of wrong arguments, by a selftest of its steps. */
export const isExplained = (error: Failure): error is ValidationError.ValidationError | SelftestFailed =>
  ValidationError.isValidationError(error) || error._tag === "SelftestFailed"
