import { Ed25519, type Ed25519Key } from "@felhom/domain/port/Ed25519"
import { opNamespace } from "@felhom/domain/SignedOp"
import { publicKeyBlob, signSshsig, writeArmor } from "@felhom/domain/Sshsig"
import { sha256 } from "@felhom/node/NodeCrypto"
import { ed25519 } from "@felhom/node/NodeEd25519"
import { Effect, Encoding, Redacted } from "effect"

/** What stands before the 32 bytes of a private ed25519 key in DER (RFC 8410). */
const pkcs8Prefix = "302e020100300506032b657004220420"

/** A key that is the same in every schedule. It guards nothing. */
export const keyOf = (name: string): Ed25519Key => {
  const der = Buffer.from(`${pkcs8Prefix}${sha256(`storm ${name}`)}`, "hex").toString("base64")
  return Effect.runSync(
    ed25519.read(Redacted.make(`-----BEGIN PRIVATE KEY-----\n${der}\n-----END PRIVATE KEY-----\n`))
  )
}

/** People who may sign at one time or another, and one who never may. */
export const names = ["anna", "ben", "cora", "mallory"] as const
export type Name = (typeof names)[number]

const keys = new Map(names.map((name) => [name, keyOf(name)]))

const keyNamed = (name: Name): Ed25519Key => keys.get(name) ?? keyOf(name)

const blobOf = (name: Name): string => Encoding.encodeBase64(publicKeyBlob(keyNamed(name).publicKey))

/** Lines of root's allow-list for them. */
export const allowList = (allowed: Iterable<Name>): string =>
  [...allowed].map((name) => `${name} ssh-ed25519 ${blobOf(name)}\n`).join("")

export const revocations = (revoked: Iterable<Name>): string =>
  [...revoked].map((name) => `ssh-ed25519 ${blobOf(name)}\n`).join("")

const utf8 = new TextEncoder()

/** An armored SSHSIG of the payload's bytes. */
export const signature = (name: Name, payload: string, namespace: string = opNamespace): string =>
  writeArmor(
    Effect.runSync(Effect.provideService(signSshsig(keyNamed(name), namespace, utf8.encode(payload)), Ed25519, ed25519))
  )
