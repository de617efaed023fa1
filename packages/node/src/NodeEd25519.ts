import { Ed25519, type Ed25519Key, Ed25519KeyError } from "@felhom/domain/port/Ed25519"
import { Effect, Layer, Redacted } from "effect"
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify
} from "node:crypto"

/** What stands before the 32 bytes of an ed25519 key in DER (RFC 8410). */
const spkiPrefix = Buffer.from("302a300506032b6570032100", "hex")

/** What Node made of keys that were read or made here: to parse one again takes longer than to sign with it. */
const objects = new WeakMap<Ed25519Key, KeyObject>()

const keyOf = (privateKey: KeyObject): Ed25519Key => {
  const key: Ed25519Key = {
    privateKeyPem: Redacted.make(privateKey.export({ type: "pkcs8", format: "pem" }).toString()),
    publicKey: new Uint8Array(
      createPublicKey(privateKey).export({ type: "spki", format: "der" }).subarray(spkiPrefix.length)
    )
  }
  objects.set(key, privateKey)
  return key
}

const objectOf = (key: Ed25519Key): KeyObject => objects.get(key) ?? createPrivateKey(Redacted.value(key.privateKeyPem))

const read = (pem: Redacted.Redacted): Effect.Effect<Ed25519Key, Ed25519KeyError> =>
  Effect.try({
    try: () => createPrivateKey(Redacted.value(pem)),
    catch: () => new Ed25519KeyError({ detail: "it does not read" })
  }).pipe(
    Effect.filterOrFail(
      (key) => key.asymmetricKeyType === "ed25519",
      () => new Ed25519KeyError({ detail: "it is a key of another kind" })
    ),
    Effect.map(keyOf)
  )

/** The key object of a point's 32 bytes; throws when OpenSSL does not take them for one. */
export const ed25519PublicKey = (point: Uint8Array): KeyObject =>
  createPublicKey({ key: Buffer.concat([spkiPrefix, point]), format: "der", type: "spki" })

/** So many points' key objects are kept: more than an operator has signers, and little enough to hold. */
const mostKept = 64

// To make one of a point takes a good part of what a verification takes, and the same few points come again and again.
const ofPoints = new Map<string, KeyObject>()

const remembered = (point: Uint8Array): KeyObject => {
  const name = Buffer.from(point.buffer, point.byteOffset, point.byteLength).toString("latin1")
  const found = ofPoints.get(name)
  if (found !== undefined) return found
  const made = ed25519PublicKey(point)
  if (ofPoints.size >= mostKept) ofPoints.clear()
  ofPoints.set(name, made)
  return made
}

const verified = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean => {
  try {
    return verify(null, message, remembered(publicKey), signature)
  } catch {
    // OpenSSL does not take these 32 bytes for a key; nothing was signed by it.
    return false
  }
}

/** The curve, as OpenSSL has it. */
export const ed25519 = Ed25519.of({
  generate: Effect.sync(() => keyOf(generateKeyPairSync("ed25519").privateKey)),
  read,
  sign: (key, message) => Effect.sync(() => new Uint8Array(sign(null, message, objectOf(key)))),
  verify: (publicKey, message, signature) => Effect.sync(() => verified(publicKey, message, signature)),
  digest: (algorithm, data) => Effect.sync(() => new Uint8Array(createHash(algorithm).update(data).digest()))
})

export const layer: Layer.Layer<Ed25519> = Layer.succeed(Ed25519, ed25519)
