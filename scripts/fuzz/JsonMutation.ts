import { FastCheck as fc, Predicate } from "effect"
import { mutants } from "./Mutation.ts"

/** One change to a document; which of its values it strikes is a share of all of them, so that it fits documents of any size. */
interface Edit {
  readonly at: number
  readonly kind: "replace" | "drop" | "repeat" | "rename" | "wrap" | "swap"
  readonly value: unknown
  readonly key: string
}

/** What readers of JSON stumble over. */
const oddValues: ReadonlyArray<unknown> = [
  null,
  true,
  0,
  -0,
  -1,
  0.5,
  1e308,
  2 ** 53,
  -(2 ** 31),
  "",
  "0",
  "1e999",
  "-1",
  "NaN",
  "\u0000",
  "\ud800",
  "\ufeffx",
  "é".repeat(300),
  "x".repeat(5000),
  "UPID:",
  "UPID:n:000001D5:00064B2C:6B023662:vzsnapshot:9999:u@pve!t:",
  "../../etc",
  "2026-11-22",
  [],
  {},
  [[]],
  [null],
  { __proto__: null, length: 3 },
  JSON.parse("{\"__proto__\":{\"polluted\":1},\"constructor\":0,\"toString\":null}")
]

const oddKeys = ["__proto__", "constructor", "toString", "", "0", "data", "vmid", "Status", "\u0000", "digest"]

const edit: fc.Arbitrary<Edit> = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
  kind: fc.constantFrom("replace", "replace", "drop", "repeat", "rename", "wrap", "swap"),
  value: fc.oneof(fc.constantFrom(...oddValues), fc.jsonValue({ maxDepth: 2 })),
  key: fc.oneof(fc.constantFrom(...oddKeys), fc.string({ maxLength: 4 }))
})

const isList = (value: unknown): value is ReadonlyArray<unknown> => Array.isArray(value)

const countOf = (value: unknown): number => {
  if (isList(value)) return value.reduce<number>((sum, one) => sum + countOf(one), 1)
  return Predicate.isRecord(value) ? Object.values(value).reduce<number>((sum, one) => sum + countOf(one), 1) : 1
}

type Entry = readonly [key: string, value: unknown]

/** What stands in the place of one entry of a list or object afterwards. */
const struck = ([key, value]: Entry, change: Edit): ReadonlyArray<Entry> => {
  switch (change.kind) {
    case "replace":
      return [[key, change.value]]
    case "drop":
      return []
    case "repeat":
      return [[key, value], [`${key}${change.key}`, value]]
    case "rename":
      return [[change.key, value]]
    case "wrap":
      return [[key, change.at < 0.5 ? [value] : { [change.key]: value }]]
    case "swap":
      return [[key, JSON.stringify(value) ?? ""]]
  }
}

/** The document with the value that is `place`-th in reading order changed. */
const edited = (value: unknown, place: number, change: Edit): unknown => {
  if (place === 0 || !(isList(value) || Predicate.isRecord(value))) {
    return struck(["", value], change)[0]?.[1] ?? null
  }
  const entries: ReadonlyArray<Entry> = Object.entries(value)
  let left = place - 1
  const changed = entries.flatMap((entry): ReadonlyArray<Entry> => {
    const size = countOf(entry[1])
    const inside = left
    left -= size
    if (inside < 0 || inside >= size) return [entry]
    return inside === 0 ? struck(entry, change) : [[entry[0], edited(entry[1], inside, change)]]
  })
  return isList(value) ? changed.map(([, one]) => one) : Object.fromEntries(changed)
}

const encoder = new TextEncoder()

const parsed = (text: string): ReadonlyArray<unknown> => {
  try {
    return [JSON.parse(text)]
  } catch {
    return []
  }
}

/** Documents with up to three values changed, now and then with changed bytes instead, which is all that there is of other text. */
export const documentMutants = (seeds: ReadonlyArray<string>): fc.Arbitrary<Uint8Array> => {
  const documents = seeds.flatMap(parsed)
  return fc.oneof(
    {
      weight: 4,
      arbitrary: fc.tuple(fc.constantFrom(...documents), fc.array(edit, { maxLength: 3 })).map(([document, edits]) =>
        encoder.encode(JSON.stringify(
          edits.reduce((before, one) => edited(before, Math.floor(one.at * countOf(before)), one), document)
        ))
      )
    },
    mutants(seeds.map((seed) => encoder.encode(seed)))
  )
}
