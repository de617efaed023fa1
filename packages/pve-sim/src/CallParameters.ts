import type { Call } from "./Endpoint.ts"

/** A parameter's text, or undefined when it is absent or came without a value. */
export const textOf = (call: Call, name: string): string | undefined => call.parameters.get(name)

/** A number that the schema has checked; `otherwise` when absent. */
export const numberOf = (call: Call, name: string, otherwise: number): number => {
  const text = call.parameters.get(name)
  return text === undefined ? otherwise : Number(text)
}

/** One of the values that the schema allows; undefined when absent. */
export const choiceOf = <A extends string>(call: Call, name: string, values: ReadonlyArray<A>): A | undefined =>
  values.find((value) => value === call.parameters.get(name))

/** A boolean that the schema has checked; absent is false. */
export const isSet = (call: Call, name: string): boolean => call.parameters.get(name) === "1"

/** A parameter that the schema requires, so it is there. */
export const required = (call: Call, name: string): string => call.parameters.get(name) ?? ""

export const vmidOf = (call: Call): number => Number(required(call, "vmid"))
