import { Ed25519, type Ed25519Key } from "@felhom/domain/port/Ed25519"
import { opNamespace } from "@felhom/domain/SignedOp"
import { publicKeyBlob, signSshsig, writeArmor } from "@felhom/domain/Sshsig"
import { layer as ed25519 } from "@felhom/node/NodeEd25519"
import { Effect, Encoding } from "effect"
import type { Signing } from "./Attack.ts"

/** Who has a key: an operator, her second key, one whose key was revoked, one whose time is over, one for other things, nobody. */
export type Hand = "anna" | "annaAgain" | "bert" | "revoked" | "expired" | "elsewhere" | "stranger"

const keyText = ({ publicKey }: Ed25519Key): string => `ssh-ed25519 ${Encoding.encodeBase64(publicKeyBlob(publicKey))}`

const signer = (key: Ed25519Key): Signing => (payload, namespace = opNamespace) =>
  Effect.provide(Effect.map(signSshsig(key, namespace, payload), writeArmor), ed25519)

/** Keys for everybody, and the two files that root wrote about them on the host. */
export const makeKeys = Effect.gen(function*() {
  const curve = yield* Ed25519
  const keys = {
    anna: yield* curve.generate,
    annaAgain: yield* curve.generate,
    bert: yield* curve.generate,
    revoked: yield* curve.generate,
    expired: yield* curve.generate,
    elsewhere: yield* curve.generate,
    stranger: yield* curve.generate
  }
  const line = (name: string, key: Ed25519Key, options = `namespaces="${opNamespace}"`) =>
    `${name} ${options} ${keyText(key)}\n`
  return {
    hands: {
      anna: signer(keys.anna),
      annaAgain: signer(keys.annaAgain),
      bert: signer(keys.bert),
      revoked: signer(keys.revoked),
      expired: signer(keys.expired),
      elsewhere: signer(keys.elsewhere),
      stranger: signer(keys.stranger)
    },
    allowedSigners: [
      line("anna", keys.anna),
      line("anna", keys.annaAgain),
      line("bert", keys.bert),
      line("carl", keys.revoked),
      line("dora", keys.expired, `namespaces="${opNamespace}",valid-before="20200101000000Z"`),
      line("emil", keys.elsewhere, "namespaces=\"git\"")
    ].join(""),
    revokedKeys: `${keyText(keys.revoked)}\n`
  }
}).pipe(Effect.provide(ed25519))
