import type { AllowedSigner, AllowedSigners } from "@felhom/authz/AllowedSigners"
import { type PublicKey, readPublicKey } from "@felhom/authz/PublicKey"
import { isRevoked, type RevocationList } from "@felhom/authz/RevocationList"
import { usableSigners } from "@felhom/authz/UsableSigners"
import { usualDemands } from "@felhom/authz/VerifySignature"
import { SignatureCrypto } from "@felhom/domain/port/SignatureCrypto"
import { opNamespace } from "@felhom/domain/SignedOp"
import { signersNamespace } from "@felhom/domain/SignersDocument"
import { EpochMillis } from "@felhom/domain/Time"
import { Clock, Effect, Either, Encoding } from "effect"
import { list, moment, quoted, quotedWithin, row } from "./DisplayLines.ts"
import { type Cell, toned } from "./Table.ts"

/** Who may sign and whose key may not, at one time. */
export interface SignerLists {
  readonly signers: AllowedSigners
  readonly revoked: RevocationList
}

/** `SHA256:` and base64 without padding, as `ssh-keygen -l` shows the key. */
export const fingerprintOf = (blob: Uint8Array): Effect.Effect<string, never, SignatureCrypto> =>
  Effect.map(
    Effect.flatMap(SignatureCrypto, (crypto) => crypto.digest("sha256", blob)),
    (digest) => `SHA256:${Encoding.encodeBase64(digest).replace(/=+$/, "")}`
  )

const keyWords = (key: PublicKey): Effect.Effect<string, never, SignatureCrypto> =>
  Effect.map(
    fingerprintOf(key.blob),
    (fingerprint) => `${key.type} ${fingerprint}${key.application === undefined ? "" : " (a security key)"}`
  )

/** A name on a list, which is read as bytes, as the text that whoever wrote it saw. */
export const nameText = (bytes: string): string =>
  new TextDecoder().decode(Uint8Array.from(bytes, (character) => character.charCodeAt(0)))

const limits = ({ namespaces, validAfter, validBefore }: AllowedSigner): string => {
  const parts = [
    ...(namespaces === undefined ? [] : [`only for ${quotedWithin(nameText(namespaces), 120)}`]),
    ...(validAfter === undefined ? [] : [`from ${moment(validAfter)}`]),
    ...(validBefore === undefined ? [] : [`until ${moment(validBefore)}`])
  ]
  return parts.length === 0 ? "" : `; ${parts.join(", ")}`
}

const signerWords = (signer: AllowedSigner): Effect.Effect<string, never, SignatureCrypto> =>
  Effect.map(keyWords(signer.key), (key) => `${quoted(nameText(signer.principals))}  ${key}${limits(signer)}`)

const allWords = (signers: ReadonlyArray<AllowedSigner>, revoked: RevocationList) =>
  Effect.forEach(signers, (signer) =>
    Effect.zipWith(
      signerWords(signer),
      isRevoked(revoked, signer.key.blob),
      (words, isOut) => (isOut ? `${words}; REVOKED` : words)
    ))

/** A line that says the same is the same line, wherever it stands. */
const lineName = ({ key, namespaces, principals, validAfter, validBefore }: AllowedSigner): string =>
  JSON.stringify([Encoding.encodeBase64(key.blob), principals, namespaces, validAfter, validBefore])

const without = (all: AllowedSigners, others: AllowedSigners): ReadonlyArray<AllowedSigner> => {
  const names = new Set(others.signers.map(lineName))
  return all.signers.filter((signer) => !names.has(lineName(signer)))
}

/** A revoked key, by the name that a list has for it if one has. */
const revokedWords = (blob64: string, ...lists: ReadonlyArray<AllowedSigners>) =>
  Effect.gen(function*() {
    const blob = Either.getOrThrow(Encoding.decodeBase64(blob64))
    const names = new Set(lists.flatMap(({ withKey }) => withKey(blob).map(({ principals }) => principals)))
    const key = Either.match(readPublicKey(blob), {
      onLeft: () => fingerprintOf(blob),
      onRight: keyWords
    })
    const who = names.size === 0 ? "on no list" : Array.from(names, (name) => quoted(nameText(name))).join(", ")
    return `${who}  ${yield* key}`
  })

const more = (all: ReadonlySet<string>, others: ReadonlySet<string>): ReadonlyArray<string> =>
  [...all].filter((key) => !others.has(key))

/** How many people could sign now, for ops and for the next list, in the eyes of a host that takes every kind of key. */
export const usableNow = (lists: SignerLists) =>
  Effect.gen(function*() {
    const at = EpochMillis.make(yield* Clock.currentTimeMillis)
    const forNamespace = (namespace: string) => usableSigners({ ...lists, at, namespace, demands: usualDemands })
    return { ops: yield* forNamespace(opNamespace), lists: yield* forNamespace(signersNamespace) }
  })

const names = (usable: ReadonlySet<string>): string =>
  usable.size === 0 ? "NOBODY" : `${usable.size}: ${Array.from(usable, (name) => quoted(nameText(name))).join(", ")}`

/**
 * What one pair of lists changes of another: who comes, who goes, whose line says something else, who is revoked, and who could
 * sign then. Every one is named: a name that is left out would be signed for unseen.
 */
export const changeWords = (
  before: SignerLists,
  after: SignerLists
): Effect.Effect<ReadonlyArray<Cell>, never, SignatureCrypto> =>
  Effect.gen(function*() {
    const all = Infinity
    const comes = without(after.signers, before.signers)
    const goes = without(before.signers, after.signers)
    const stays = after.signers.signers.filter((signer) => !comes.includes(signer))
    const revoked = yield* Effect.forEach(
      more(after.revoked.keys, before.revoked.keys),
      (key) => revokedWords(key, before.signers, after.signers)
    )
    const pardoned = yield* Effect.forEach(
      more(before.revoked.keys, after.revoked.keys),
      (key) => revokedWords(key, before.signers, after.signers)
    )
    const usable = yield* usableNow(after)
    return [
      ...list("comes", yield* allWords(comes, after.revoked), "nobody", all).map((line) => toned("warning", line)),
      ...list("goes", yield* allWords(goes, before.revoked), "nobody", all).map((line) => toned("warning", line)),
      ...list("REVOKED", revoked, "nobody", all).map((line) => toned(revoked.length === 0 ? "dim" : "bad", line)),
      ...(pardoned.length === 0
        ? []
        : list("PARDONED", pardoned.map((words) => `${words}; it was revoked`), "", all).map((line) =>
          toned("bad", line)
        )),
      ...list("stays", yield* allWords(stays, after.revoked), "nobody", all),
      row("then sign", `ops ${names(usable.ops)}`),
      row("", `lists ${names(usable.lists)}`)
    ]
  })

/** Everybody on the lists, for where there is nothing to compare them with. */
export const listWords = (lists: SignerLists): Effect.Effect<ReadonlyArray<Cell>, never, SignatureCrypto> =>
  Effect.gen(function*() {
    const revoked = yield* Effect.forEach([...lists.revoked.keys], (key) => revokedWords(key, lists.signers))
    const usable = yield* usableNow(lists)
    return [
      ...list("may sign", yield* allWords(lists.signers.signers, lists.revoked), "NOBODY", Infinity),
      ...list("revoked", revoked, "nobody", Infinity),
      row("now sign", `ops ${names(usable.ops)}`),
      row("", `lists ${names(usable.lists)}`)
    ]
  })
