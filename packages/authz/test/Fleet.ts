import * as AcceptedPolicy from "@felhom/authz/AcceptedPolicy"
import * as AcceptedSigners from "@felhom/authz/AcceptedSigners"
import * as HostPolicy from "@felhom/authz/HostPolicy"
import * as Signers from "@felhom/authz/Signers"
import * as SignersChain from "@felhom/authz/SignersChain"
import { DurableFile, DurableFileError } from "@felhom/domain/port/DurableFile"
import type { Ed25519Key } from "@felhom/domain/port/Ed25519"
import { Sha256Hex } from "@felhom/domain/Sha256"
import { signersNamespace, signersType } from "@felhom/domain/SignersDocument"
import { EpochMillis } from "@felhom/domain/Time"
import { NonceStore } from "@felhom/durable/NonceStore"
import * as NodeCrypto from "@felhom/node/NodeCrypto"
import { layer as signatureCrypto } from "@felhom/node/NodeSignatureCrypto"
import { Clock, Effect, Encoding, Layer, Option } from "effect"
import { createHash } from "node:crypto"
import { bytes, signedBy } from "./Signing.ts"

export const paths = { signers: "/etc/allowed", revoked: "/etc/revoked", policy: "/etc/policy.json" } as const
export const keptPath = "/state/accepted-signers.json"
export const keptPolicyPath = "/state/accepted-policy.json"
export const fleet = "f".repeat(32)

export const sha256 = (text: string): Sha256Hex => Sha256Hex.make(createHash("sha256").update(text).digest("hex"))

export const policy = (signatures: object) => JSON.stringify({ typ: "felhom/policy/v1", signatures })

/** A version of the fleet's signers, with what the test changes in it. */
export interface Wanted {
  readonly version: number
  /** What the version before held. */
  readonly from: { readonly allowedSigners: string; readonly revoked?: string }
  readonly allowedSigners: string
  readonly revoked?: string
  readonly keys: ReadonlyArray<Ed25519Key>
  readonly namespace?: string
  readonly changed?: object
}

export const textOf = ({ allowedSigners, changed, from, revoked, version }: Wanted): string =>
  JSON.stringify({
    typ: signersType,
    fleet,
    version,
    from: { allowedSigners: sha256(from.allowedSigners), revoked: sha256(from.revoked ?? "") },
    issued: 1,
    allowedSigners,
    revoked: revoked ?? "",
    reason: "as the test wants it",
    ...changed
  })

export const signedText = (text: string, keys: ReadonlyArray<Ed25519Key>, namespace: string = signersNamespace) =>
  Effect.map(
    Effect.forEach(keys, (key) => signedBy(key, text, namespace)),
    (signatures) => ({ payload: Encoding.encodeBase64(text), signatures })
  )

export const signed = (wanted: Wanted) => signedText(textOf(wanted), wanted.keys, wanted.namespace)

/** A host with root's files in memory; each `layer` is one start of its agent on what is left of the state folder. */
export const makeFiles = (root: { readonly [path: string]: string }) => {
  const files = new Map(Object.entries(root).map(([path, text]) => [path, bytes(text)]))
  let full = false
  let beforeRead: (path: string) => void = () => undefined
  let trustedTime: (typeof NonceStore.Service)["trustedTime"] = Effect.map(
    Clock.currentTimeMillis,
    (now) => EpochMillis.make(now)
  )
  const live = Layer.succeed(DurableFile, {
    read: (path) =>
      Effect.sync(() => {
        beforeRead(path)
        return Option.fromNullable(files.get(path))
      }),
    replace: (path, content) =>
      Effect.suspend(() =>
        full
          ? new DurableFileError({ operation: "replace", path, code: "ENOSPC", detail: "no space left" })
          : Effect.sync(() => void files.set(path, content))
      )
  })
  const onTime = Layer.mock(NonceStore, { trustedTime: Effect.suspend(() => trustedTime) })
  const layer = SignersChain.layer.pipe(
    Layer.provideMerge(
      Layer.merge(
        HostPolicy.layer(paths.policy),
        Signers.layer({ allowed: paths.signers, revoked: { path: paths.revoked, required: false } })
      )
    ),
    Layer.provideMerge(Layer.merge(AcceptedSigners.layer("/state"), AcceptedPolicy.layer("/state"))),
    Layer.provide([live, onTime]),
    Layer.provideMerge(Layer.merge(NodeCrypto.layer, signatureCrypto))
  )
  return {
    layer,
    put: (path: string, text: string) => void files.set(path, bytes(text)),
    remove: (path: string) => void files.delete(path),
    /** What somebody does on the host just before a file is read. */
    onRead: (does: (path: string) => void) => void (beforeRead = does),
    tellTime: (time: typeof trustedTime) => void (trustedTime = time),
    text: (path: string) => new TextDecoder().decode(files.get(path)),
    fill: (isFull: boolean) => void (full = isFull)
  }
}
