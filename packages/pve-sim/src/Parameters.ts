/**
 * One parameter as it arrived. `undefined` is a form field without a value (`k=`), which Proxmox takes for undefined and not
 * for the empty text (platform-facts 1.0). A `wrong` value is of a JSON type that no scalar parameter accepts.
 */
export type Parameter =
  | string
  | undefined
  | ReadonlyArray<string>
  | { readonly boolean: "1" | "0" }
  | { readonly wrong: string }

export type Parameters = ReadonlyMap<string, Parameter>

// Unlike decodeURIComponent, a stray `%` stays as it is, and bytes that are no UTF-8 are replaced.
const decodeComponent = (text: string): string =>
  text.replace(/(?:%[0-9A-Fa-f]{2})+/g, (run) =>
    new TextDecoder().decode(
      Uint8Array.from(run.split("%").slice(1), (pair) => Number.parseInt(pair, 16))
    ))

/** The path, decoded exactly once (platform-facts 4.1). */
export const decodePath = decodeComponent

/**
 * A query or form body. `&` and `;` both separate, a name given twice becomes a list, and of `a=b=c` only `b` is kept
 * (platform-facts 3.5).
 */
export const parseForm = (text: string): Parameters => {
  const parameters = new Map<string, Parameter>()
  for (const field of text.split(/[&;]/)) {
    const [rawName = "", rawValue] = field.split("=")
    const name = decodeComponent(rawName.replaceAll("+", " "))
    if (name === "") continue
    const decoded = rawValue === undefined ? "" : decodeComponent(rawValue.replaceAll("+", " "))
    const value = decoded === "" ? undefined : decoded
    const before = parameters.get(name)
    if (!parameters.has(name) || value === undefined || before === undefined) parameters.set(name, value)
    else if (typeof before === "string") parameters.set(name, [before, value])
    else if (Array.isArray(before)) parameters.set(name, [...before, value])
  }
  return parameters
}

const ofJson = (value: unknown): Parameter => {
  switch (typeof value) {
    case "string":
      return value
    case "number":
      return String(value)
    case "boolean":
      return { boolean: value ? "1" : "0" }
    default:
      if (value === null) return undefined
      if (Array.isArray(value)) return value.map(String)
      return { wrong: "HASH" }
  }
}

/** A JSON body's members; undefined when the text is JSON, but no object. Throws what `JSON.parse` throws. */
export const parseJsonBody = (text: string): Parameters | undefined => {
  const value: unknown = JSON.parse(text)
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? new Map(Object.entries(value).map(([name, member]) => [name, ofJson(member)]))
    : undefined
}

/**
 * Perl's words for a body that is no JSON. A text that breaks off is at fault at its end; for others the place is the one
 * that this side's parser names. Proxmox's place in its sources is part of what a client sees.
 */
export const malformedJson = (text: string, cause: unknown): string => {
  const place = /position (\d+)/.exec(cause instanceof Error ? cause.message : "")?.[1]
  const offset = place === undefined ? text.length : Number(place)
  const rest = offset >= text.length ? "(end of string)" : text.slice(offset, offset + 20)
  return `malformed JSON string, neither tag, array, object, number, string or atom, at character offset ${offset} ` +
    `(before "${rest}") at /usr/share/perl5/PVE/APIServer/AnyEvent.pm line 934.`
}
