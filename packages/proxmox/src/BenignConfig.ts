import type { Parameter } from "./FormEncoding.ts"

/** A change to a guest's configuration. `digest` makes it fail with `conflict` if somebody else wrote in between. */
export interface ConfigChange {
  readonly set?: { readonly [key: string]: Exclude<Parameter, undefined> }
  /** Keys to clear. An empty value in `set` would not do it (platform-facts 1.0). */
  readonly delete?: ReadonlyArray<string>
  readonly digest?: string
}

// The keys of protocol 4 that are benign to write; the other side of this line takes an operator's signature. Clearing a
// memory limit or a network card is no harmless default, so those are only ever set.
const clearable = new Set([
  "cores",
  "cpulimit",
  "cpuunits",
  "swap",
  "onboot",
  "startup",
  "description",
  "tags",
  "hostname",
  "name",
  "nameserver"
])
const settable = (key: string): boolean =>
  clearable.has(key) || key === "memory" || key === "protection" || /^net\d+$/.test(key)

const isOn = (value: Parameter): boolean => value === true || value === 1 || value === "1"

/**
 * Why a change may not be written without a mandate, or undefined when it may.
 *
 * Whatever a planner decided above, a call without a mandate never detaches or deletes a volume, lifts a guest's protection or
 * sets a lock, which nobody could take away again over the API (platform-facts 5.1).
 */
export const needsMandate = (change: ConfigChange): string | undefined => {
  for (const [key, value] of Object.entries(change.set ?? {})) {
    if (!settable(key)) return `setting ${key}`
    if (key === "protection" && !isOn(value)) return "lifting protection"
  }
  const cleared = (change.delete ?? []).find((key) => !clearable.has(key))
  return cleared === undefined ? undefined : `clearing ${cleared}`
}
