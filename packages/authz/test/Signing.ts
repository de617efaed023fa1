import type { Ed25519Key } from "@felhom/domain/port/Ed25519"
import { Ed25519 } from "@felhom/domain/port/Ed25519"
import { publicKeyBlob, signSshsig, writeArmor } from "@felhom/domain/Sshsig"
import { layer as ed25519 } from "@felhom/node/NodeEd25519"
import { layer as signatureCrypto } from "@felhom/node/NodeSignatureCrypto"
import { Effect, Encoding, Layer } from "effect"

export const crypto = Layer.merge(ed25519, signatureCrypto)

export const namespace = "op.v1@felhom.eu"

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

export const newKey = Effect.flatMap(Ed25519, (curve) => curve.generate)

export const keyText = ({ publicKey }: Ed25519Key): string =>
  `ssh-ed25519 ${Encoding.encodeBase64(publicKeyBlob(publicKey))}`

export const signedBy = (key: Ed25519Key, message: string, inNamespace = namespace) =>
  Effect.map(signSshsig(key, inNamespace, bytes(message)), writeArmor)
