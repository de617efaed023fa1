// Castagnoli's polynomial, bits reversed: the checksum of iSCSI and ext4 (RFC 3720, appendix B.4), which finds every error burst
// of up to 32 bits.
const polynomial = 0x82f63b78

const tableOfByte = (byte: number): number => {
  let value = byte
  for (let bit = 0; bit < 8; bit++) value = (value & 1) === 0 ? value >>> 1 : (value >>> 1) ^ polynomial
  return value
}

// Four tables, so that four bytes are taken at a time: a million nonces are checked at each start.
const tables = new Int32Array(4 * 256)
for (let byte = 0; byte < 256; byte++) tables[byte] = tableOfByte(byte)
for (let index = 256; index < tables.length; index++) {
  const before = tables[index - 256]!
  tables[index] = (before >>> 8) ^ tables[before & 0xff]!
}

/** CRC-32C of `bytes[from..to)`, as an unsigned number; `before` is the checksum of what stands in front of it. */
export const crc32c = (bytes: Uint8Array, from = 0, to: number = bytes.length, before = 0): number => {
  let crc = ~before
  let at = from
  for (; at + 4 <= to; at += 4) {
    crc ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
    crc = tables[768 + (crc & 0xff)]! ^ tables[512 + ((crc >>> 8) & 0xff)]! ^ tables[256 + ((crc >>> 16) & 0xff)]! ^
      tables[crc >>> 24]!
  }
  for (; at < to; at++) crc = (crc >>> 8) ^ tables[(crc ^ bytes[at]!) & 0xff]!
  return ~crc >>> 0
}
