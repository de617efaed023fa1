import { Ed25519, type Ed25519Key } from "@felhom/domain/port/Ed25519"
import { opNamespace } from "@felhom/domain/SignedOp"
import { signersNamespace } from "@felhom/domain/SignersDocument"
import { publicKeyBlob, signSshsig, writeArmor } from "@felhom/domain/Sshsig"
import { layer as ed25519 } from "@felhom/node/NodeEd25519"
import { Effect, Encoding, Record } from "effect"
import type { Signing } from "./Attack.ts"

/**
 * Who has a key: two operators, one of them with a second key, one who is let in later, one whose key was revoked, one whose time
 * is over, one who may sign for other things, and two whom nobody let in.
 */
export type Hand =
  | "anna"
  | "annaAgain"
  | "bert"
  | "clara"
  | "revoked"
  | "expired"
  | "elsewhere"
  | "stranger"
  | "strangersFriend"

/** What an operator's line lets a key sign. */
const operators = `namespaces="${opNamespace},${signersNamespace}"`

const keyText = ({ publicKey }: Ed25519Key): string => `ssh-ed25519 ${Encoding.encodeBase64(publicKeyBlob(publicKey))}`

const signer = (key: Ed25519Key): Signing => (payload, namespace = opNamespace) =>
  Effect.provide(Effect.map(signSshsig(key, namespace, payload), writeArmor), ed25519)

/** Keys for everybody, and the two files that root wrote about them on the host. */
export interface Keys {
  readonly hands: { readonly [name in Hand]: Signing }
  /** A line of an allow-list for one of them, under this name. */
  readonly line: (name: string, hand: Hand, options?: string) => string
  /** Their public keys, as a list of revoked keys has them. */
  readonly publicKey: { readonly [name in Hand]: string }
  readonly allowedSigners: string
  readonly revokedKeys: string
}

export const makeKeys: Effect.Effect<Keys> = Effect.gen(function*() {
  const curve = yield* Ed25519
  const keys: { readonly [name in Hand]: Ed25519Key } = yield* Effect.all({
    anna: curve.generate,
    annaAgain: curve.generate,
    bert: curve.generate,
    clara: curve.generate,
    revoked: curve.generate,
    expired: curve.generate,
    elsewhere: curve.generate,
    stranger: curve.generate,
    strangersFriend: curve.generate
  })
  const publicKey = Record.map(keys, keyText)
  const line = (name: string, hand: Hand, options = operators) => `${name} ${options} ${publicKey[hand]}\n`
  return {
    hands: Record.map(keys, signer),
    publicKey,
    line,
    allowedSigners: [
      line("anna", "anna"),
      line("anna", "annaAgain"),
      line("bert", "bert"),
      line("carl", "revoked"),
      line("dora", "expired", `${operators},valid-before="20200101000000Z"`),
      line("emil", "elsewhere", "namespaces=\"git\"")
    ].join(""),
    revokedKeys: `${publicKey.revoked}\n`
  }
}).pipe(Effect.provide(ed25519))
