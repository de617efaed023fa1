import { parsePropertyString, type PropertyString } from "@felhom/domain/PropertyString"
import { type Form, onOff } from "./ConfigForm.ts"

/** What one part of a property string is to be, and how to tell that it is. */
export interface WishedPart {
  readonly key: string
  readonly text: string
  readonly form: Form
}

/** A part that is on or off. */
export const switchPart = (key: string, isOn: boolean): WishedPart => ({ key, text: isOn ? "1" : "0", form: onOff })

/** Proxmox takes the part without a key for this one where the format has such a default (`startup`: `order`). */
const named = ({ bare, entries }: PropertyString, defaultKey: string | undefined): PropertyString =>
  defaultKey === undefined || bare === undefined || bare === ""
    ? { bare: bare === "" ? undefined : bare, entries }
    : { bare: undefined, entries: [[defaultKey, bare], ...entries] }

const written = ({ bare, entries }: PropertyString): string =>
  [...(bare === undefined ? [] : [bare]), ...entries.map(([key, value]) => value === "" ? key : `${key}=${value}`)]
    .join(",")

const valueIn = ({ entries }: PropertyString, key: string): string | undefined =>
  entries.find(([name]) => name === key)?.[1]

/** The parts that are not as wished. */
export const unmetParts = (
  raw: string,
  wished: ReadonlyArray<WishedPart>,
  defaultKey?: string
): ReadonlyArray<WishedPart> => {
  const property = named(parsePropertyString(raw), defaultKey)
  return wished.filter(({ form, key, text }) => form(valueIn(property, key)) !== form(text))
}

/** The string with these parts in it; all others stay as and where they are, known or not (platform-facts 5.14). */
export const withParts = (raw: string, parts: ReadonlyArray<WishedPart>, defaultKey?: string): string => {
  const property = named(parsePropertyString(raw), defaultKey)
  const left = new Map(parts.map(({ key, text }) => [key, text]))
  const kept = property.entries.map(([key, value]) => {
    const text = left.get(key)
    left.delete(key)
    return [key, text ?? value] as const
  })
  return written({ bare: property.bare, entries: [...kept, ...left] })
}
