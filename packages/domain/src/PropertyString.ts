/**
 * Proxmox's `key=value,key=value` strings (`netN`, `rootfs`, `mpN`, drives). The first part may stand without a key, and is
 * then the volume, the model or the path. Order and unknown keys are kept, because a rewrite must preserve what it does not
 * know (platform-facts 5.14).
 */
export interface PropertyString {
  /** The part without a key, if there is one. */
  readonly bare: string | undefined
  /** All keyed parts, in the order they stand in. */
  readonly entries: ReadonlyArray<readonly [key: string, value: string]>
}

/** Never fails: whatever has no `=` after the first part is kept as a key with an empty value. */
export const parsePropertyString = (text: string): PropertyString => {
  const entries: Array<readonly [string, string]> = []
  let bare: string | undefined
  for (const [index, part] of text.split(",").entries()) {
    const at = part.indexOf("=")
    if (at >= 0) entries.push([part.slice(0, at), part.slice(at + 1)])
    else if (index === 0) bare = part
    else if (part !== "") entries.push([part, ""])
  }
  return { bare, entries }
}

/** The value of `key`, or undefined. */
export const propertyOf = (property: PropertyString, key: string): string | undefined =>
  property.entries.find(([name]) => name === key)?.[1]
