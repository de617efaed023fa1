import { ByteReader, byteText, type Work } from "@felhom/domain/ByteReader"
import type { EcdsaCurve, KeyMaterial } from "@felhom/domain/port/SignatureCrypto"
import { isSmallOrder } from "@felhom/domain/SmallOrderKey"
import { Either } from "effect"
import { readPoint } from "./EcPoint.ts"
import { readMpint } from "./Mpint.ts"

export type KeyType =
  | "ssh-ed25519"
  | "sk-ssh-ed25519@openssh.com"
  | "ecdsa-sha2-nistp256"
  | "ecdsa-sha2-nistp384"
  | "ecdsa-sha2-nistp521"
  | "sk-ecdsa-sha2-nistp256@openssh.com"
  | "ssh-rsa"

/** A public key as OpenSSH writes it: no certificate. */
export interface PublicKey {
  readonly type: KeyType
  /** The whole key as it stands in a file before base64. Two keys are the same when these bytes are. */
  readonly blob: Uint8Array
  readonly material: KeyMaterial
  /** What a security key was made for, `ssh:` and possibly more; undefined for a key that is a file. */
  readonly application: string | undefined
}

type Read<A> = Either.Either<A, string>
type KeyParts = Omit<PublicKey, "type" | "blob">

const ed25519 = (reader: ByteReader): Read<KeyMaterial> =>
  Either.flatMap(reader.string(), (point): Read<KeyMaterial> =>
    point.length === 32
      ? Either.right({ kind: "ed25519", point: point.slice() })
      : Either.left("it is not of 32 bytes"))

const ecdsa = (reader: ByteReader, curve: EcdsaCurve): Read<KeyMaterial> =>
  Either.gen(function*() {
    if (byteText(yield* reader.string()) !== curve) return yield* Either.left(`its curve is not ${curve}`)
    return { kind: "ecdsa", curve, ...(yield* readPoint(curve, yield* reader.string())) }
  })

/** What OpenSSL verifies at all. */
const rsaBits = { least: 1024, most: 16_384 } as const

/** Of a number that is not zero, in its shortest form. */
const bitsOf = (number: Uint8Array): number => number.length * 8 - Math.clz32(number[0]!) + 24

const odd = (number: Uint8Array): boolean => (number.at(-1)! & 1) === 1

const rsa = (reader: ByteReader): Read<KeyMaterial> =>
  Either.gen(function*() {
    const exponent = (yield* readMpint(reader)).slice()
    const modulus = (yield* readMpint(reader)).slice()
    const bits = bitsOf(modulus)
    if (bits < rsaBits.least || bits > rsaBits.most) {
      return yield* Either.left(`its modulus has ${bits} bits, and ${rsaBits.least} to ${rsaBits.most} are possible`)
    }
    // With an exponent of 1 every number is its own signature.
    if (!odd(modulus) || !odd(exponent) || bitsOf(exponent) < 2 || exponent.length > 8) {
      return yield* Either.left("its numbers are not those of an RSA key")
    }
    return { kind: "rsa", exponent, modulus }
  })

const plain = (material: Read<KeyMaterial>): Read<KeyParts> =>
  Either.map(material, (material) => ({ material, application: undefined }))

const securityKey = (material: Read<KeyMaterial>, reader: ByteReader): Read<KeyParts> =>
  Either.gen(function*() {
    const made = yield* material
    const application = byteText(yield* reader.string())
    if (application.includes("\0")) return yield* Either.left("its application is no text")
    return { material: made, application }
  })

const readers: { readonly [type in KeyType]: (reader: ByteReader) => Read<KeyParts> } = {
  "ssh-ed25519": (reader) => plain(ed25519(reader)),
  "sk-ssh-ed25519@openssh.com": (reader) => securityKey(ed25519(reader), reader),
  "ecdsa-sha2-nistp256": (reader) => plain(ecdsa(reader, "nistp256")),
  "ecdsa-sha2-nistp384": (reader) => plain(ecdsa(reader, "nistp384")),
  "ecdsa-sha2-nistp521": (reader) => plain(ecdsa(reader, "nistp521")),
  "sk-ecdsa-sha2-nistp256@openssh.com": (reader) => securityKey(ecdsa(reader, "nistp256"), reader),
  "ssh-rsa": (reader) => plain(rsa(reader))
}

export const isKeyType = (text: string): text is KeyType => Object.hasOwn(readers, text)

/**
 * A key in its one form: a known type, numbers in their shortest form, a point that is on its curve, not a byte too many. It
 * may still be one that no signer should have; see `signerKeyProblem`.
 */
export const readPublicKey = (blob: Uint8Array, work?: Work): Read<PublicKey> =>
  Either.gen(function*() {
    const reader = new ByteReader(blob, work)
    const type = byteText(yield* reader.string())
    if (!isKeyType(type)) return yield* Either.left("it is of a type that does not count here")
    const parts = yield* readers[type](reader)
    if (reader.left > 0) return yield* Either.left("there are bytes after its end")
    return { type, blob: blob.slice(), ...parts }
  })

/** Sizes of RSA keys that may sign (protocol 5), in bits. */
const signerRsaBits = { least: 3072, most: 8192 } as const

/** Whether these 32 bytes write y as a number that is not below the field's prime, 2²⁵⁵ - 19. */
const isOverlong = (point: Uint8Array): boolean =>
  point[0]! >= 0xed && point.subarray(1, 31).every((byte) => byte === 0xff) && (point[31]! & 0x7f) === 0x7f

/** Why nobody may sign with this key; undefined when one may. */
export const signerKeyProblem = ({ application, material }: PublicKey): string | undefined => {
  if (application !== undefined && !application.startsWith("ssh:")) {
    return "it is a security key of another application than ssh:"
  }
  switch (material.kind) {
    case "ed25519":
      if (isSmallOrder(material.point)) return "it is of small order: anybody can sign for it"
      return isOverlong(material.point) ? "its point is not written in its one form" : undefined
    case "ecdsa":
      return undefined
    case "rsa": {
      const bits = bitsOf(material.modulus)
      return bits < signerRsaBits.least || bits > signerRsaBits.most
        ? `it is an RSA key of ${bits} bits, and ${signerRsaBits.least} to ${signerRsaBits.most} count`
        : undefined
    }
  }
}
