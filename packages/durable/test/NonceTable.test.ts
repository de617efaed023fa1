import { describe, it } from "@effect/vitest"
import { decodeNonceRecord, encodeAnchored, encodeBlocks, encodeMoved, encodeSpent } from "@felhom/durable/NonceRecord"
import { type NonceKey, NonceTable } from "@felhom/durable/NonceTable"
import { Option } from "effect"
import { expect } from "vitest"

const add = (table: NonceTable, [a, b, c, d]: NonceKey, until: number) => table.add(a, b, c, d, until)

/** All that is in the table, in no order. */
const entries = (table: NonceTable): ReadonlyArray<string> => {
  const found: Array<string> = []
  table.forEach((slots, at) => found.push([...slots.subarray(at, at + 5)].join(" ")))
  return found.toSorted()
}

const numbered = (count: number): ReadonlyArray<NonceKey> =>
  Array.from({ length: count }, (_, n): NonceKey => [Math.imul(n, 0x9e3779b1) >>> 0, n, n + 1, n + 2])

describe("a table of nonces", () => {
  it("tells keys apart by each of their words, also where they begin alike or at the table's end", () => {
    for (const first of [7, 1023, 0xffffffff]) {
      const table = new NonceTable()
      const keys: ReadonlyArray<NonceKey> = [[first, 1, 1, 1], [first, 2, 1, 1], [first, 1, 2, 1], [first, 1, 1, 2]]
      for (const [index, key] of keys.entries()) {
        expect(table.has(key)).toBe(false)
        expect(add(table, key, 100 + index)).toBe(true)
        expect(table.size).toBe(index + 1)
        for (const [other, one] of keys.entries()) expect(table.has(one)).toBe(other <= index)
      }
      expect(table.has([(first + 1024) >>> 0, 1, 1, 1])).toBe(false)
      expect(entries(table)).toEqual(
        keys.map((key, index) => [...key, 100 + index].join(" ")).toSorted()
      )
    }
  })

  it("takes a key once, and keeps the later of its times", () => {
    const table = new NonceTable()
    const key: NonceKey = [1, 2, 3, 4]
    expect([add(table, key, 50), add(table, key, 40), add(table, key, 60), add(table, key, 55)]).toEqual([
      true,
      false,
      false,
      false
    ])
    expect([table.size, entries(table)]).toEqual([1, ["1 2 3 4 60"]])
  })

  it("grows with every key in it, and is never too small for those that were told of", () => {
    for (const expected of [0, 768, 769, 5000]) {
      const table = new NonceTable(expected)
      const keys = numbered(5000)
      for (const [index, key] of keys.entries()) {
        expect(add(table, key, index + 1)).toBe(true)
        if (index % 500 === 0) expect(entries(table)).toHaveLength(index + 1)
      }
      expect(table.size).toBe(5000)
      expect(keys.every((key) => table.has(key))).toBe(true)
      expect(numbered(5100).slice(5000).some((key) => table.has(key))).toBe(false)
      expect(entries(table)).toEqual(keys.map((key, index) => [...key, index + 1].join(" ")).toSorted())
    }
  })
})

describe("a record of nonces", () => {
  const key: NonceKey = [0x01020304, 0x05060708, 0x090a0b0c, 0x0d0e0f10]
  const spent = { key, until: 0x11121314, lastSeen: 1_800_000_000_000, seq: 7 }
  const moved = { lastSeen: 1_800_000_000_000, unexplained: 1.5, seq: 8 }
  const anchored = { epoch: "00112233445566778899aabbccddeeff", lastSeen: 1_800_000_000_000, seq: 9 }
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex")
  const time = "000000c585317a42"
  const forms = [
    [encodeSpent(spent), `0104030201080706050c0b0a09100f0e0d14131211${time}0000000000001c40`, {
      _tag: "spent",
      ...spent
    }],
    [encodeMoved(moved), `02${time}000000000000f83f0000000000002040`, { _tag: "moved", ...moved }],
    [encodeAnchored(anchored), `03${anchored.epoch}${time}0000000000002240`, { _tag: "anchored", ...anchored }]
  ] as const

  it("has one form on the disk, which reads back", () => {
    for (const [bytes, form, record] of forms) {
      expect(hex(bytes)).toBe(form)
      expect(decodeNonceRecord(bytes)).toEqual(Option.some(record))
      // A view into a longer file reads as the same.
      expect(decodeNonceRecord(Buffer.concat([new Uint8Array(3), bytes]).subarray(3))).toEqual(Option.some(record))
    }
  })

  it("is none of another length or of an unknown kind", () => {
    for (const [bytes] of forms) {
      for (const other of [bytes.subarray(0, -1), Buffer.concat([bytes, new Uint8Array(1)]), bytes.with(0, 9)]) {
        expect(decodeNonceRecord(other)).toEqual(Option.none())
      }
      for (const kind of [1, 2, 3]) {
        if (kind !== bytes[0]) expect(decodeNonceRecord(bytes.with(0, kind))).toEqual(Option.none())
      }
    }
    expect(decodeNonceRecord(new Uint8Array())).toEqual(Option.none())
  })

  it("holds up to 4,096 nonces in one block, and those alone whose time is not over", () => {
    for (
      const [count, blocks] of [[0, []], [1, [1]], [4096, [4096]], [4097, [4096, 1]], [9000, [
        4096,
        4096,
        808
      ]]] as const
    ) {
      const table = new NonceTable()
      for (const one of numbered(count)) add(table, one, 101)
      for (const old of numbered(count + 9).slice(count)) add(table, old, 100)
      const written = encodeBlocks(table, 100)
      expect(written.map(({ length }) => (length - 1) / 20)).toEqual(blocks)
      const read = new NonceTable()
      for (const bytes of written) {
        const record = Option.getOrThrow(decodeNonceRecord(bytes))
        if (record._tag !== "block") throw new Error("another record")
        expect(record.count).toBe((bytes.length - 1) / 20)
        record.addTo(read)
      }
      expect(entries(read)).toEqual(numbered(count).map((one) => [...one, 101].join(" ")).toSorted())
    }
    expect(encodeBlocks(new NonceTable(), 0)).toEqual([])
    const whole = new NonceTable()
    add(whole, key, 1)
    const [block = new Uint8Array()] = encodeBlocks(whole, 0)
    expect(hex(block)).toBe(`04${hex(encodeSpent({ ...spent, until: 1 })).slice(2, 42)}`)
    expect(decodeNonceRecord(block.subarray(0, -1))).toEqual(Option.none())
  })
})
