const encoder = new TextEncoder()

/** Bytes put one after another. */
export const concatBytes = (parts: ReadonlyArray<Uint8Array>): Uint8Array => {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

/** An unsigned integer of 32 bits (RFC 4251, section 5). */
export const uint32 = (value: number): Uint8Array => {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, value)
  return bytes
}

/** A string: its length as a uint32, then its bytes (RFC 4251, section 5). */
export const sshString = (value: string | Uint8Array): Uint8Array => {
  const bytes = typeof value === "string" ? encoder.encode(value) : value
  const whole = new Uint8Array(4 + bytes.length)
  new DataView(whole.buffer).setUint32(0, bytes.length)
  whole.set(bytes, 4)
  return whole
}
