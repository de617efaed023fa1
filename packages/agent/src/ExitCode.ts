import { Cause, Option } from "effect"

/** What a command can end with, as far as its exit code goes. */
export interface Failure {
  readonly _tag: string
}

const usage: ReadonlySet<string> = new Set([
  "SettingsError",
  "StateFileCorrupt",
  "HostKeyCorrupt",
  "DurableFileError",
  "InstanceLockError",
  "HostFileError",
  "NameUnknown"
])

/**
 * 0: fine, or told to stop. 1: the check failed, or the program did. 2: the configuration or the state folder must be mended
 * first, or the arguments, which whoever read them has to recognise.
 */
export const exitCodeOf = <E extends Failure>(
  cause: Cause.Cause<E>,
  isWrongArguments: (error: E) => boolean = () => false
): number =>
  Cause.isInterruptedOnly(cause) ? 0 : Option.match(Cause.failureOption(cause), {
    onNone: () => 1,
    onSome: (error) => (usage.has(error._tag) || isWrongArguments(error) ? 2 : 1)
  })
