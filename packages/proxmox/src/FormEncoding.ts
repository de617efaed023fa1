/** A parameter's value; true and false travel as 1 and 0 (platform-facts 1.0). An undefined one is left out. */
export type Parameter = string | number | boolean | undefined

export interface Parameters {
  readonly [name: string]: Parameter
}

const text = (value: string | number | boolean): string =>
  typeof value === "boolean" ? (value ? "1" : "0") : String(value)

// A lone surrogate has no UTF-8, and encodeURIComponent throws on one.
const encode = (value: string): string => encodeURIComponent(value.replace(/\p{Surrogate}/gu, "\ufffd"))

/**
 * `a=1&b=x%3By`, for a query or a form body. Everything but letters, digits and `-_.!~*'()` is percent-encoded, because
 * pveproxy splits on `&` and on `;`, and keeps only what stands between the first and the second `=` (platform-facts 3.5).
 */
export const encodeParameters = (parameters: Parameters): string =>
  Object.entries(parameters).flatMap(([name, value]) =>
    value === undefined ? [] : [`${encode(name)}=${encode(text(value))}`]
  ).join("&")

/** The names of parameters that are empty: pveproxy would take them for absent (platform-facts 1.0). */
export const emptyParameters = (parameters: Parameters): ReadonlyArray<string> =>
  Object.entries(parameters).flatMap(([name, value]) => value === "" ? [name] : [])

/** `/nodes/demo/tasks/UPID%3A…`: each segment encoded for itself, a UPID included (platform-facts 4.1). */
export const encodePath = (segments: ReadonlyArray<string | number>): string =>
  segments.map((segment) => `/${encode(String(segment))}`).join("")
