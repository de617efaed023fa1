import { signedData } from "@felhom/domain/Sshsig"
import { concatBytes, sshString, uint32 } from "@felhom/domain/SshWire"
import { Encoding } from "effect"
import { createHash } from "node:crypto"
import { type Oddities, type SoftwareKey } from "./SoftwareKey.ts"

const encoder = new TextEncoder()

export const plainOddities: Oddities = { flags: 1, leadingZeros: 0, trailing: 0, rsaHash: "sha512" }

/** How a blob may deviate from what was signed, or be odd though it was signed so. */
export interface BlobShape {
  readonly namespace: string
  readonly hash: string
  readonly version: number
  readonly reserved: string
  readonly trailing: number
  readonly odd: Oddities
}

/** An SSHSIG blob over the message, signed by the key in all that its shape says. */
export const sshsigBlob = (key: SoftwareKey, message: Uint8Array, shape: BlobShape): Uint8Array => {
  const known = shape.hash === "sha256" ? "sha256" : "sha512"
  const digest = new Uint8Array(createHash(known).update(message).digest())
  return concatBytes([
    encoder.encode("SSHSIG"),
    uint32(shape.version),
    sshString(key.blob),
    ...[shape.namespace, shape.reserved, shape.hash].map(sshString),
    sshString(key.sign(signedData(shape.namespace, known, digest), shape.odd)),
    new Uint8Array(shape.trailing)
  ])
}

/** `type base64`, as keys stand in files. */
export const keyText = ({ blob, type }: SoftwareKey): string => `${type} ${Encoding.encodeBase64(blob)}`

export interface KrlShape {
  readonly sections: ReadonlyArray<{ readonly kind: number; readonly entries: ReadonlyArray<Uint8Array> }>
  readonly flags: number
  readonly comment: string
}

/** A key revocation list in OpenSSH's binary form (PROTOCOL.krl). */
export const krlFile = ({ comment, flags, sections }: KrlShape): Uint8Array =>
  concatBytes([
    encoder.encode("SSHKRL\n\0"),
    uint32(1),
    new Uint8Array(16),
    uint32(0),
    uint32(flags),
    sshString(""),
    sshString(comment),
    ...sections.flatMap(({ entries, kind }) => [
      new Uint8Array([kind]),
      sshString(concatBytes(entries.map(sshString)))
    ])
  ])

export const krlSection = { keys: 2, sha1: 3, sha256: 5 } as const

/** A section that names these keys by themselves or by their fingerprints. */
export const krlOf = (
  kind: keyof typeof krlSection,
  keys: ReadonlyArray<SoftwareKey>
): KrlShape["sections"][number] => ({
  kind: krlSection[kind],
  entries: keys.map(({ blob }) => (kind === "keys" ? blob : new Uint8Array(createHash(kind).update(blob).digest())))
})
