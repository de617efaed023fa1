import { Option } from "effect"
import type { NonceKey, NonceTable } from "./NonceTable.ts"

// Binary and of fixed width, as there may be a million. Numbers are little-endian; times in ms are float64, as JavaScript counts.

/** A nonce was spent, when the clock said `lastSeen`. */
interface Spent {
  readonly _tag: "spent"
  readonly key: NonceKey
  readonly until: number
  readonly lastSeen: number
  readonly seq: number
}

/** How far the clock and the store had come; `unexplained` ms of it passed while nobody could count along. */
interface Moved {
  readonly _tag: "moved"
  readonly lastSeen: number
  readonly unexplained: number
  readonly seq: number
}

/** All that was before is void: another epoch, no nonces, and a clock that is believed anew. */
interface Anchored {
  readonly _tag: "anchored"
  readonly epoch: string
  readonly lastSeen: number
  readonly seq: number
}

/** Many spent nonces in one, as a rewritten file has them. */
interface Block {
  readonly _tag: "block"
  readonly count: number
  readonly addTo: (table: NonceTable) => void
}

export type NonceRecord = Spent | Moved | Anchored | Block

const kinds = { spent: 1, moved: 2, anchored: 3, block: 4 } as const
const lengths = { spent: 37, moved: 25, anchored: 33 } as const
const entryLength = 20

/** How many entries a block has at most. */
const blockEntries = 4096

const begun = (kind: number, length: number) => {
  const bytes = new Uint8Array(length)
  bytes[0] = kind
  return { bytes, view: new DataView(bytes.buffer) }
}

const setWords = (view: DataView, at: number, words: ReadonlyArray<number>): void =>
  words.forEach((word, index) => view.setUint32(at + 4 * index, word, true))

export const encodeSpent = ({ key, lastSeen, seq, until }: Omit<Spent, "_tag">): Uint8Array => {
  const { bytes, view } = begun(kinds.spent, lengths.spent)
  setWords(view, 1, [...key, until])
  view.setFloat64(21, lastSeen, true)
  view.setFloat64(29, seq, true)
  return bytes
}

export const encodeMoved = ({ lastSeen, seq, unexplained }: Omit<Moved, "_tag">): Uint8Array => {
  const { bytes, view } = begun(kinds.moved, lengths.moved)
  view.setFloat64(1, lastSeen, true)
  view.setFloat64(9, unexplained, true)
  view.setFloat64(17, seq, true)
  return bytes
}

export const encodeAnchored = ({ epoch, lastSeen, seq }: Omit<Anchored, "_tag">): Uint8Array => {
  const { bytes, view } = begun(kinds.anchored, lengths.anchored)
  for (let index = 0; index < 16; index++) bytes[1 + index] = Number.parseInt(epoch.slice(2 * index, 2 * index + 2), 16)
  view.setFloat64(17, lastSeen, true)
  view.setFloat64(25, seq, true)
  return bytes
}

/** The table's nonces that must be kept beyond `after` (seconds), in blocks. */
export const encodeBlocks = (table: NonceTable, after: number): ReadonlyArray<Uint8Array> => {
  const blocks: Array<Uint8Array> = []
  let block = begun(kinds.block, 1 + blockEntries * entryLength)
  let used = 0
  const close = () => {
    if (used > 0) blocks.push(block.bytes.subarray(0, 1 + used * entryLength))
  }
  table.forEach((slots, at) => {
    if (slots[at + 4]! <= after) return
    if (used === blockEntries) {
      close()
      block = begun(kinds.block, 1 + blockEntries * entryLength)
      used = 0
    }
    for (let word = 0; word < 5; word++) {
      block.view.setUint32(1 + used * entryLength + 4 * word, slots[at + word]!, true)
    }
    used += 1
  })
  close()
  return blocks
}

const decodeBlock = (bytes: Uint8Array, view: DataView): Option.Option<NonceRecord> => {
  const count = (bytes.length - 1) / entryLength
  if (!Number.isInteger(count)) return Option.none()
  const addTo = (table: NonceTable): void => {
    for (let at = 1; at < bytes.length; at += entryLength) {
      const word = (index: number) => view.getUint32(at + 4 * index, true)
      table.add(word(0), word(1), word(2), word(3), word(4))
    }
  }
  return Option.some({ _tag: "block", count, addTo })
}

/** None when it is no record of this version. */
export const decodeNonceRecord = (bytes: Uint8Array): Option.Option<NonceRecord> => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const word = (index: number): number => view.getUint32(1 + 4 * index, true)
  const kind = bytes[0]
  if (kind === kinds.block) return decodeBlock(bytes, view)
  if (kind === kinds.spent && bytes.length === lengths.spent) {
    return Option.some({
      _tag: "spent",
      key: [word(0), word(1), word(2), word(3)],
      until: word(4),
      lastSeen: view.getFloat64(21, true),
      seq: view.getFloat64(29, true)
    })
  }
  if (kind === kinds.moved && bytes.length === lengths.moved) {
    return Option.some({
      _tag: "moved",
      lastSeen: view.getFloat64(1, true),
      unexplained: view.getFloat64(9, true),
      seq: view.getFloat64(17, true)
    })
  }
  if (kind === kinds.anchored && bytes.length === lengths.anchored) {
    return Option.some({
      _tag: "anchored",
      epoch: Array.from(bytes.subarray(1, 17), (byte) => byte.toString(16).padStart(2, "0")).join(""),
      lastSeen: view.getFloat64(17, true),
      seq: view.getFloat64(25, true)
    })
  }
  return Option.none()
}
