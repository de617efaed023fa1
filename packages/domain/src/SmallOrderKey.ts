/**
 * The y coordinates of the eight points of small order on edwards25519, little-endian, with the encodings above the field's
 * prime that the same points have. For such a key there are signatures that hold for every message, and `node:crypto`
 * accepts them.
 */
const coordinates: ReadonlySet<string> = new Set([
  // y = 0, and the same written as p
  "00".repeat(32),
  `ed${"ff".repeat(30)}7f`,
  // y = 1, and the same written as p + 1
  `01${"00".repeat(31)}`,
  `ee${"ff".repeat(30)}7f`,
  // y = -1
  `ec${"ff".repeat(30)}7f`,
  // the points of order eight
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"
])

const hex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")

/** Whether a public key is one of the 14 encodings of a point of small order: seven coordinates, each with either sign bit. */
export const isSmallOrder = (publicKey: Uint8Array): boolean => {
  // Not `slice`: that of a Buffer shares its bytes.
  const unsigned = Uint8Array.from(publicKey)
  const last = unsigned.at(-1)
  if (last === undefined) return false
  unsigned[unsigned.length - 1] = last & 0x7f
  return coordinates.has(hex(unsigned))
}
