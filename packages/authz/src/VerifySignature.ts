import { byteText } from "@felhom/domain/ByteReader"
import { SignatureCrypto } from "@felhom/domain/port/SignatureCrypto"
import { readArmor, readParts, signedData, type SshsigParts } from "@felhom/domain/Sshsig"
import { concatBytes } from "@felhom/domain/SshWire"
import type { EpochMillis } from "@felhom/domain/Time"
import { Effect, Either, Encoding } from "effect"
import type { AllowedSigner, AllowedSigners } from "./AllowedSigners.ts"
import { type InnerSignature, readInnerSignature, type Touch } from "./InnerSignature.ts"
import { matchesList } from "./PatternList.ts"
import { type PublicKey, readPublicKey, signerKeyProblem } from "./PublicKey.ts"
import { isRevoked, type RevocationList } from "./RevocationList.ts"
import { fromSshsig, refused, type SignatureRefused } from "./SignatureRefused.ts"

/** What a host asks of keys beyond what always holds. */
export interface KeyDemands {
  /** Security keys must have asked for a PIN or a finger. */
  readonly verification: boolean
  /** Keys that are files count, too. */
  readonly softwareKeys: boolean
}

/** What ssh-keygen -Y verify asks, and user presence, which it does not. */
export const usualDemands: KeyDemands = { verification: false, softwareKeys: true }

/** Against what signatures are held. */
export interface Judgement {
  /** The exact bytes that were signed. */
  readonly message: Uint8Array
  readonly namespace: string
  /** The moment that counts for the time windows of the allow-list. */
  readonly at: EpochMillis
  readonly signers: AllowedSigners
  readonly revoked: RevocationList
  readonly demands: KeyDemands
}

/** A signature that counts. */
export interface Verified {
  readonly key: PublicKey
  /** `SHA256:` and base64 without padding, as `ssh-keygen -l` shows the key. */
  readonly fingerprint: string
  /** The lines of the allow-list by which it counts: for this key, namespace and moment. Never empty. */
  readonly signers: ReadonlyArray<AllowedSigner>
  readonly touch: Touch | undefined
}

const utf8 = new TextEncoder()
const plainName = /^[\u0020-\u007e]{1,255}$/
const presence = 0x01
const verification = 0x04

/** Principals and namespaces are compared as their bytes in UTF-8, as OpenSSH does; undefined for what is no name. */
const nameBytes = (name: string): string | undefined => {
  if (plainName.test(name)) return name
  const text = byteText(utf8.encode(name))
  return text === "" || text.length > 255 || text.includes("\0") ? undefined : text
}

type Crypto = typeof SignatureCrypto.Service

// The keys of an allow-list stay the same objects for long.
const fingerprints = new WeakMap<PublicKey, string>()

const fingerprintOf = (crypto: Crypto, key: PublicKey): Effect.Effect<string> => {
  const known = fingerprints.get(key)
  return known !== undefined ? Effect.succeed(known) : Effect.map(crypto.digest("sha256", key.blob), (digest) => {
    const made = `SHA256:${Encoding.encodeBase64(digest).replace(/=+$/, "")}`
    fingerprints.set(key, made)
    return made
  })
}

/** Why a key that nobody listed does not count: because it is none that could, or else because it is not listed. */
const stranger = (blob: Uint8Array): SignatureRefused => {
  const problem = Either.match(readPublicKey(blob), { onLeft: (why) => why, onRight: signerKeyProblem })
  return problem === undefined
    ? refused("unlisted", "its key is not on the allow-list")
    : refused("key", `its key: ${problem}`)
}

const time = (at: EpochMillis): string => new Date(at).toISOString()

/** Why this line does not let the key sign; undefined when it does. */
export const objection = (signer: AllowedSigner, namespace: string, at: EpochMillis): SignatureRefused | undefined => {
  const line = `line ${signer.line} of the allow-list`
  if (signer.namespaces !== undefined && !matchesList(namespace, signer.namespaces)) {
    return refused("signer-namespace", `${line} does not let the key sign for the namespace ${namespace}`)
  }
  if (signer.validAfter !== undefined && at < signer.validAfter) {
    return refused(
      "not-yet-valid",
      `${line} lets the key sign from ${time(signer.validAfter)} on, and it is ${time(at)}`
    )
  }
  return signer.validBefore !== undefined && at > signer.validBefore
    ? refused("expired", `${line} let the key sign until ${time(signer.validBefore)}, and it is ${time(at)}`)
    : undefined
}

type Lines = readonly [AllowedSigner, ...Array<AllowedSigner>]

/** The lines with this key that hold now, for the namespace that is asked for, and for the principal when one is. */
const linesFor = (
  { at, signers }: Judgement,
  blob: Uint8Array,
  asked: string,
  principal: string | undefined
): Either.Either<Lines, SignatureRefused> => {
  const listed = signers.withKey(blob)
  const named = principal === undefined ? listed : listed.filter((signer) => matchesList(principal, signer.principals))
  const [first, ...others] = named
  if (first === undefined) {
    return Either.left(
      listed.length === 0
        ? stranger(blob)
        : refused("principal", `its key is on the allow-list, but not as ${principal}`)
    )
  }
  const why = objection(first, asked, at)
  const good = others.filter((signer) => objection(signer, asked, at) === undefined)
  if (why === undefined) return Either.right([first, ...good])
  const [next, ...more] = good
  return next === undefined ? Either.left(why) : Either.right([next, ...more])
}

/** What the key signed: for a security key not the data itself, but its hash between what the key vouches for. */
const signedBytes = (
  crypto: Crypto,
  key: PublicKey,
  touch: Touch | undefined,
  data: Uint8Array
): Effect.Effect<Uint8Array> => {
  if (key.application === undefined || touch === undefined) return Effect.succeed(data)
  const application = Uint8Array.from(key.application, (character) => character.charCodeAt(0))
  return Effect.zipWith(
    crypto.digest("sha256", application),
    crypto.digest("sha256", data),
    (application, data) => concatBytes([application, touch.signed, data])
  )
}

/** Whether the key signed the message. */
const verifyValue = (
  crypto: Crypto,
  { inner, key, parts }: { readonly inner: InnerSignature; readonly key: PublicKey; readonly parts: SshsigParts },
  message: Uint8Array
): Effect.Effect<boolean> =>
  Effect.flatMap(
    Effect.flatMap(
      crypto.digest(parts.hash, message),
      (digest) => signedBytes(crypto, key, inner.touch, signedData(parts.namespace, parts.hash, digest))
    ),
    (signed) => crypto.verify({ key: key.material, hash: inner.hash, message: signed, signature: inner.value })
  )

/** Why what a security key says of its owner is not enough; a key that is a file says nothing. */
const unattended = (touch: Touch | undefined, demands: KeyDemands): SignatureRefused | undefined => {
  if (touch === undefined) {
    return demands.softwareKeys ? undefined : refused("software-key", "its key is a file, no security key")
  }
  if ((touch.flags & presence) === 0) {
    return refused("presence", "nobody touched the security key when it signed")
  }
  if ((touch.flags & ~(presence | verification)) !== 0) {
    return refused("flags", `the security key set flags that ssh does not: ${touch.flags}`)
  }
  return demands.verification && (touch.flags & verification) === 0
    ? refused("verification", "the security key asked for no PIN and no finger")
    : undefined
}

/** The signature taken apart, and the lines of the allow-list by which its key may make it (protocol 5, steps 3 to 6). */
const listed = (
  armored: string | Uint8Array,
  judgement: Judgement,
  principal: string | undefined
): Either.Either<{ readonly parts: SshsigParts; readonly signers: Lines }, SignatureRefused> => {
  const asked = principal === undefined ? undefined : nameBytes(principal)
  const namespace = nameBytes(judgement.namespace)
  if (namespace === undefined || (principal !== undefined && asked === undefined)) {
    return Either.left(refused("request", "the principal or the namespace that was asked for is no name"))
  }
  const read = Either.flatMap(readArmor(armored), (blob) => readParts(blob))
  if (Either.isLeft(read)) return Either.left(fromSshsig(read.left))
  const parts = read.right
  return parts.namespace === judgement.namespace
    ? Either.map(linesFor(judgement, parts.publicKey, namespace, asked), (signers) => ({ parts, signers }))
    : Either.left(refused("namespace", `it was made for another purpose than ${judgement.namespace}`))
}

const innerOf = (key: PublicKey, signature: Uint8Array): Either.Either<InnerSignature, SignatureRefused> =>
  Either.mapLeft(readInnerSignature(key, signature), (why) => refused("signature-form", `its value: ${why}`))

/**
 * Whether one armored signature counts (protocol 5, steps 3 to 9), cheapest check first and closed at the first doubt. With a
 * principal it must be that one's; without, whose it is follows from the lines in the answer.
 *
 * Stricter than `ssh-keygen -Y verify`, and never laxer: what that refuses is refused here.
 */
export const verifySignature = (
  armored: string | Uint8Array,
  judgement: Judgement,
  principal?: string
): Effect.Effect<Verified, SignatureRefused, SignatureCrypto> =>
  Effect.flatMap(SignatureCrypto, (crypto) => {
    const found = listed(armored, judgement, principal)
    if (Either.isLeft(found)) return found.left
    const { parts, signers } = found.right
    const { key } = signers[0]
    return Effect.flatMap(isRevoked(judgement.revoked, key.blob), (isOut) => {
      if (isOut) return refused("revoked", "its key is on the revocation list")
      const read = innerOf(key, parts.signature)
      if (Either.isLeft(read)) return read.left
      const inner = read.right
      return Effect.flatMap(verifyValue(crypto, { inner, key, parts }, judgement.message), (good) => {
        if (!good) return refused("signature", "the bytes are not those that the key signed")
        const { touch } = inner
        return unattended(touch, judgement.demands) ??
          Effect.map(fingerprintOf(crypto, key), (fingerprint) => ({ key, fingerprint, signers, touch }))
      })
    })
  })
