import { crc32c } from "./Crc32c.ts"

// A log is 16 bytes of magic and then frames: u32 length, u32 CRC-32C, payload; all numbers little-endian. The checksum covers
// the length as well, and a length of nothing is no frame, so that zeros never read as one: behind the last frame they are the
// room that was made for those to come. A payload holds the records that were written together, each behind its own u32 length:
// they are there all or not at all, wherever a power cut tears the write.

/** What every log begins with. */
export const magic: Uint8Array = new TextEncoder().encode("felhom-log-v1\n\0\0")

const frameHead = 8
const recordHead = 4

/** The longest payload that is written or believed, in bytes. */
export const longestPayload: number = 1024 * 1024

/** How many bytes records take in a payload. */
export const payloadLength = (records: ReadonlyArray<Uint8Array>): number =>
  records.reduce((sum, record) => sum + recordHead + record.length, 0)

/** One frame of these records. */
export const encodeFrame = (records: ReadonlyArray<Uint8Array>): Uint8Array => {
  const length = payloadLength(records)
  const frame = new Uint8Array(frameHead + length)
  const view = new DataView(frame.buffer)
  view.setUint32(0, length, true)
  let at = frameHead
  for (const record of records) {
    view.setUint32(at, record.length, true)
    frame.set(record, at + recordHead)
    at += recordHead + record.length
  }
  view.setUint32(4, crc32c(frame, frameHead, frame.length, crc32c(frame, 0, 4)), true)
  return frame
}

/** The records in as few frames as hold them, in their order. */
export const encodeFrames = function*(records: Iterable<Uint8Array>): Generator<Uint8Array> {
  let group: Array<Uint8Array> = []
  let length = 0
  for (const record of records) {
    if (length + recordHead + record.length > longestPayload && group.length > 0) {
      yield encodeFrame(group)
      group = []
      length = 0
    }
    group.push(record)
    length += recordHead + record.length
  }
  if (group.length > 0) yield encodeFrame(group)
}

/** How the bytes of a log end. Offsets count from the file's first byte. */
export type LogEnd =
  | { readonly _tag: "whole" }
  /** The last write was cut off, before anybody was told of it. */
  | { readonly _tag: "torn"; readonly offset: number }
  /** Bytes are damaged that were written before others which are whole: no power cut does that. */
  | { readonly _tag: "damaged"; readonly offset: number; readonly wholeAgainAt: number }
  /** It is not a log at all. */
  | { readonly _tag: "foreign" }

export interface ParsedLog {
  /** All records in front of `end`; views into the bytes that were parsed. */
  readonly records: ReadonlyArray<Uint8Array>
  readonly end: LogEnd
}

interface Frame {
  readonly records: ReadonlyArray<Uint8Array>
  readonly next: number
}

const recordsOf = (payload: Uint8Array): ReadonlyArray<Uint8Array> | undefined => {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength)
  const records: Array<Uint8Array> = []
  let at = 0
  while (at + recordHead <= payload.length) {
    const length = view.getUint32(at, true)
    at += recordHead
    if (length === 0 || length > payload.length - at) return undefined
    records.push(payload.subarray(at, at + length))
    at += length
  }
  return at === payload.length ? records : undefined
}

/** The frame that begins at `offset`, if there is a whole one. */
const frameAt = (bytes: Uint8Array, view: DataView, offset: number): Frame | undefined => {
  if (offset + frameHead > bytes.length) return undefined
  const length = view.getUint32(offset, true)
  const begin = offset + frameHead
  if (length === 0 || length > longestPayload || length > bytes.length - begin) return undefined
  const sum = crc32c(bytes, begin, begin + length, crc32c(bytes, offset, offset + 4))
  if (sum !== view.getUint32(offset + 4, true)) return undefined
  const records = recordsOf(bytes.subarray(begin, begin + length))
  return records === undefined ? undefined : { records, next: begin + length }
}

const nextWhole = (bytes: Uint8Array, view: DataView, after: number): number | undefined => {
  for (let offset = after + 1; offset + frameHead < bytes.length; offset++) {
    if (frameAt(bytes, view, offset) !== undefined) return offset
  }
  return undefined
}

/** Where the zeros begin that nothing else follows. A frame may end with some of its own, so they tell of no frame's end. */
export const zerosFrom = (bytes: Uint8Array): number => {
  let end = bytes.length
  while (end > 0 && bytes[end - 1] === 0) end -= 1
  return end
}

const beginsWithMagic = (bytes: Uint8Array): boolean => magic.every((byte, index) => bytes[index] === byte)

/** Takes a log's bytes apart, up to the first that can't be believed. */
export const parseLog = (bytes: Uint8Array): ParsedLog => {
  if (!beginsWithMagic(bytes)) return { records: [], end: { _tag: "foreign" } }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const records: Array<Uint8Array> = []
  let offset = magic.length
  // The last frame may be the one that ends with zeros.
  const written = zerosFrom(bytes)
  while (offset < written) {
    const frame = frameAt(bytes, view, offset)
    if (frame === undefined) {
      const wholeAgainAt = nextWhole(bytes, view, offset)
      const end: LogEnd = wholeAgainAt === undefined
        ? { _tag: "torn", offset }
        : { _tag: "damaged", offset, wholeAgainAt }
      return { records, end }
    }
    for (const record of frame.records) records.push(record)
    offset = frame.next
  }
  return { records, end: { _tag: "whole" } }
}
