import type { EcdsaCurve } from "@felhom/domain/port/SignatureCrypto"
import { Either } from "effect"

/** y² = x³ - 3x + b over the field of `prime` elements, with a base point of that `order` (FIPS 186-4, D.1.2). */
interface Curve {
  readonly prime: bigint
  readonly b: bigint
  readonly order: bigint
  /** Bytes of one coordinate. */
  readonly size: number
}

export const curves: { readonly [curve in EcdsaCurve]: Curve } = {
  nistp256: {
    prime: 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn,
    b: 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn,
    order: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
    size: 32
  },
  nistp384: {
    prime: 0xfffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000ffffffffn,
    b: 0xb3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aefn,
    order: 0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n,
    size: 48
  },
  nistp521: {
    prime: 2n ** 521n - 1n,
    b: 0x0051953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef109e156193951ec7e937b1652c0bd3bb1bf073573df883d2c34f1ef451fd46b503f00n,
    order:
      0x01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409n,
    size: 66
  }
}

const uncompressed = 0x04

/** The bytes of a coordinate as an unsigned number, big-endian. */
const number = (bytes: Uint8Array): bigint =>
  BigInt(`0x${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`)

const onCurve = ({ b, prime }: Curve, x: bigint, y: bigint): boolean =>
  (y * y - (x * x * x - 3n * x + b)) % prime === 0n

/**
 * What OpenSSH asks of both coordinates beyond the curve (`sshkey_ec_validate_public`): more bits than half the order's, and
 * below order - 1.
 */
const usable = ({ order }: Curve, coordinate: bigint): boolean =>
  coordinate < order - 1n && coordinate.toString(2).length > Math.floor(order.toString(2).length / 2)

export interface EcPoint {
  readonly x: Uint8Array
  readonly y: Uint8Array
}

/** An uncompressed point (SEC 1, 2.3.4) that is on the curve, and not one that OpenSSH would refuse. */
export const readPoint = (curve: EcdsaCurve, bytes: Uint8Array): Either.Either<EcPoint, string> => {
  const parameters = curves[curve]
  const { size } = parameters
  if (bytes[0] !== uncompressed || bytes.length !== 1 + 2 * size) {
    return Either.left(`its point is not an uncompressed one of ${curve}`)
  }
  const point = { x: bytes.slice(1, 1 + size), y: bytes.slice(1 + size) }
  const [x, y] = [number(point.x), number(point.y)]
  // The order is below the prime, and so is what is usable: there is one way to write it.
  return usable(parameters, x) && usable(parameters, y) && onCurve(parameters, x, y)
    ? Either.right(point)
    : Either.left(`its point is not on ${curve}`)
}
