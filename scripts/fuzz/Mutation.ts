import { concatBytes } from "@felhom/domain/SshWire"
import { FastCheck as fc } from "effect"

/** One change to some bytes; where it strikes is a share of their length, so that it fits inputs of any length. */
interface Change {
  readonly kind: "flip" | "set" | "insert" | "remove" | "repeat" | "cut" | "splice"
  readonly at: number
  readonly length: number
  readonly bytes: Uint8Array
}

const share = fc.double({ min: 0, max: 1, noNaN: true })

const change = (words: ReadonlyArray<Uint8Array>): fc.Arbitrary<Change> =>
  fc.record({
    kind: fc.constantFrom("flip", "set", "insert", "remove", "repeat", "cut", "splice"),
    at: share,
    length: fc.oneof({ weight: 4, arbitrary: fc.integer({ min: 1, max: 8 }) }, fc.integer({ min: 9, max: 400 })),
    bytes: fc.oneof(fc.uint8Array({ minLength: 1, maxLength: 6 }), fc.constantFrom(...words))
  })

const applied = (input: Uint8Array, { at, bytes, kind, length }: Change, others: ReadonlyArray<Uint8Array>) => {
  const place = Math.floor(at * input.length)
  const before = input.subarray(0, place)
  const after = input.subarray(place)
  switch (kind) {
    case "flip":
      return concatBytes([before, new Uint8Array([(after[0] ?? 0) ^ (1 << (length % 8))]), after.subarray(1)])
    case "set":
      return concatBytes([before, bytes, after.subarray(bytes.length)])
    case "insert":
      return concatBytes([before, bytes, after])
    case "remove":
      return concatBytes([before, after.subarray(length)])
    case "repeat":
      return concatBytes([before, after.subarray(0, length), after])
    case "cut":
      return before
    case "splice": {
      const other = others[length % others.length] ?? before
      return concatBytes([before, other.subarray(Math.floor(at * other.length))])
    }
  }
}

const encoder = new TextEncoder()

/** What parsers of these formats look for, or stumble over. */
const words: ReadonlyArray<Uint8Array> = [
  ..."\n|\r\n| |\t|\0|#|,|!|*|?|\"|\\\"|=|Z|A|==|-----BEGIN SSH SIGNATURE-----|-----END SSH SIGNATURE-----".split("|"),
  ..."SSHSIG|sha256|ssh-ed25519|ssh-rsa|namespaces=\"x\"|valid-after=\"20250101Z\"|cert-authority|\ufeff|ssh:".split(
    "|"
  )
].map((text) => encoder.encode(text)).concat([
  new Uint8Array([0, 0, 0, 0]),
  new Uint8Array([0, 0, 0, 1]),
  new Uint8Array([0xff, 0xff, 0xff, 0xff]),
  new Uint8Array([0x80]),
  new Uint8Array([0, 0, 0, 32])
])

/** Seeds with up to `most` changes each, some of them with none; now and then bytes of no seed at all. */
export const mutants = (seeds: ReadonlyArray<Uint8Array>, most = 4): fc.Arbitrary<Uint8Array> =>
  fc.oneof(
    {
      weight: 15,
      arbitrary: fc.tuple(fc.constantFrom(...seeds), fc.array(change(words), { maxLength: most })).map((
        [seed, changes]
      ) => changes.reduce((input, one) => applied(input, one, seeds), seed))
    },
    fc.uint8Array({ maxLength: 300 })
  )
