const encoder = new TextEncoder()

/** Bytes put one after another. */
export const concatBytes = (parts: ReadonlyArray<Uint8Array>): Uint8Array => {
  let size = 0
  for (const part of parts) size += part.length
  const whole = new Uint8Array(size)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

/** Big-endian; an array keeps the last eight bits of each. */
const setUint32 = (bytes: Uint8Array, value: number): void => {
  bytes[0] = value >>> 24
  bytes[1] = value >>> 16
  bytes[2] = value >>> 8
  bytes[3] = value
}

/** An unsigned integer of 32 bits (RFC 4251, section 5). */
export const uint32 = (value: number): Uint8Array => {
  const bytes = new Uint8Array(4)
  setUint32(bytes, value)
  return bytes
}

/** A string: its length as a uint32, then its bytes (RFC 4251, section 5). */
export const sshString = (value: string | Uint8Array): Uint8Array => {
  const bytes = typeof value === "string" ? encoder.encode(value) : value
  const whole = new Uint8Array(4 + bytes.length)
  setUint32(whole, bytes.length)
  whole.set(bytes, 4)
  return whole
}
