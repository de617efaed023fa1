import { describe, expect, it } from "@effect/vitest"
import { decodeListing } from "@felhom/proxmox/Listing"
import { Either, Schema } from "effect"

let decoded = 0
const Row = Schema.transform(Schema.Struct({ vmid: Schema.Number, cpu: Schema.Number }), Schema.Any, {
  strict: true,
  decode: (row) => {
    decoded += 1
    return { ...row }
  },
  encode: (row: { readonly vmid: number; readonly cpu: number }) => row
})

describe("a list that is asked for each cycle", () => {
  it("gives again what was made of a row that came again, and decodes the one that changed", () => {
    const decode = decodeListing(Row, { recurring: true })
    const first = Either.getOrThrow(decode([{ vmid: 101, cpu: 0 }, { vmid: 102, cpu: 0 }]))
    decoded = 0
    const second = Either.getOrThrow(decode([{ vmid: 102, cpu: 0 }, { vmid: 101, cpu: 1 }]))
    expect(decoded).toBe(1)
    expect(second.rows).toEqual([{ vmid: 102, cpu: 0 }, { vmid: 101, cpu: 1 }])
    expect(second.rows[0]).toBe(first.rows[1])
  })

  it("holds no row that did not come last time", () => {
    const decode = decodeListing(Row, { recurring: true })
    decode([{ vmid: 101, cpu: 0 }])
    expect(Either.getOrThrow(decode([])).rows).toEqual([])
    decoded = 0
    expect(Either.getOrThrow(decode([{ vmid: 101, cpu: 0 }])).rows).toHaveLength(1)
    expect(decoded).toBe(1)
  })

  it("names a row that can't be read each time that it comes", () => {
    const decode = decodeListing(Row, { recurring: true })
    for (let times = 0; times < 2; times++) {
      const { rows, unreadable } = Either.getOrThrow(decode([{ vmid: 101, cpu: "much" }, { vmid: 102, cpu: 0 }]))
      expect([rows.length, unreadable.map(({ row }) => row)]).toEqual([1, ["vmid 101"]])
    }
  })
})
