import { type HostPublicKey, hostPublicKeyBytes, reportNamespace } from "@felhom/domain/HostKey"
import { Ed25519 } from "@felhom/domain/port/Ed25519"
import { armorOf, publicKeyBlob, signedData, SshsigError, verifySshsig } from "@felhom/domain/Sshsig"
import { concatBytes, sshString, uint32 } from "@felhom/domain/SshWire"
import { Effect } from "effect"
import { hash } from "node:crypto"

/** The report's bytes under the hash that agents sign with, in base64: made once, for the signature and whoever compares reports. */
export const digestOf = (plain: Uint8Array): string => hash("sha512", plain, "base64")

/** Verifies reports' signatures (SSHSIG) for who does so all day. */
export interface HostSignature {
  /**
   * `header` is the blob in base64 as it came, `digest` is `digestOf` the report's bytes, and `pinned` the only key that may have
   * signed; null takes any. Gives the armored signature.
   */
  readonly verify: (
    plain: Uint8Array,
    digest: string,
    header: string,
    pinned: HostPublicKey | null
  ) => Effect.Effect<string, SshsigError>
}

/** A signature's last 64 bytes. */
const signatureLength = 64

/** So many hosts' keys are remembered; beyond that all are made anew. */
const kept = 20_000

/** What an agent's blob is but for the signature at its end: it follows from the key alone. */
const beginningOf = (publicKey: Uint8Array): Buffer =>
  Buffer.from(concatBytes([
    Buffer.from("SSHSIG"),
    uint32(1),
    sshString(publicKeyBlob(publicKey)),
    ...[reportNamespace, "", "sha512"].map(sshString),
    uint32(sshString("ssh-ed25519").length + 4 + signatureLength),
    sshString("ssh-ed25519"),
    uint32(signatureLength)
  ]))

const noDigest = new Uint8Array(signatureLength)
/** What is signed, but for the digest at its end. */
const signedBeginning = signedData(reportNamespace, "sha512", noDigest).subarray(0, -signatureLength)

interface Pinned {
  readonly publicKey: Uint8Array
  readonly beginning: Buffer
}

/** A text that is the one base64 for its bytes. They are no Buffer, whose `slice` would share them. */
const canonicalBytes = (base64: string): Uint8Array | undefined => {
  const bytes = Buffer.from(base64, "base64")
  return bytes.toString("base64") === base64 ? new Uint8Array(bytes) : undefined
}

export const make: Effect.Effect<HostSignature, never, Ed25519> = Effect.map(Ed25519, (curve) => {
  const known = new Map<HostPublicKey, Pinned>()
  const pinnedOf = (key: HostPublicKey): Pinned => {
    const found = known.get(key)
    if (found !== undefined) return found
    const publicKey = hostPublicKeyBytes(key)
    const made = { publicKey, beginning: beginningOf(publicKey) }
    if (known.size >= kept) known.clear()
    known.set(key, made)
    return made
  }

  const byAnyForm = (plain: Uint8Array, blob: Uint8Array, header: string, expected: Uint8Array | undefined) =>
    Effect.as(
      Effect.provideService(
        verifySshsig({
          blob,
          namespace: reportNamespace,
          message: plain,
          ...(expected === undefined ? {} : { expected })
        }),
        Ed25519,
        curve
      ),
      armorOf(header)
    )

  return {
    verify: (plain, digest, header, pinned) => {
      const blob = canonicalBytes(header)
      if (blob === undefined) return new SshsigError({ reason: "blob", detail: "it is not canonical base64" })
      if (pinned === null) return byAnyForm(plain, blob, header, undefined)
      const { beginning, publicKey } = pinnedOf(pinned)
      // Nearly every signature has the one form that our agents give it; whatever else came is taken apart with all care.
      const isOurForm = blob.length === beginning.length + signatureLength &&
        beginning.equals(blob.subarray(0, beginning.length))
      if (!isOurForm) return byAnyForm(plain, blob, header, publicKey)
      return Effect.flatMap(
        curve.verify(
          publicKey,
          Buffer.concat([signedBeginning, Buffer.from(digest, "base64")]),
          blob.subarray(beginning.length)
        ),
        (holds) =>
          holds
            ? Effect.succeed(armorOf(header))
            : new SshsigError({ reason: "signature", detail: "the bytes are not those that were signed" })
      )
    }
  }
})
