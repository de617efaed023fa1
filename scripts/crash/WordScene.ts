import { desiredType } from "@felhom/domain/DesiredDocument"
import type { SignedBytes } from "@felhom/domain/Envelope"
import { opNamespace, opType } from "@felhom/domain/SignedOp"
import { encodeAttachedSigners, signersNamespace, signersType } from "@felhom/domain/SignersDocument"
import { Effect, Encoding } from "effect"
import { createHash } from "node:crypto"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Home, Reached } from "./Life.ts"
import { freshNonce, type Scene } from "./Scene.ts"

/** Ops that Proxmox has no part in: each changes whose word the host goes by. */
export const wordNames = ["policy.widen", "signers.update", "desired.accept_epoch"] as const
export type WordName = (typeof wordNames)[number]

/** One of them, as the hub has it. */
export interface OfferedWord {
  readonly call: WordName
  readonly nonce: string
  readonly signed: SignedBytes
}

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex")

const widened = JSON.stringify({ typ: "felhom/policy/v1", signatures: { threshold: 1, softwareKeys: true } })
const rootsPolicy = JSON.stringify({ typ: "felhom/policy/v1", signatures: { threshold: 1, verification: false } })

/** The hub's stores, one after the other. */
const epochs = ["d".repeat(32), "e".repeat(32)] as const

/** The version of the other fleet's list, which does not go on from what the host has. */
const version = 7

/** What is offered to a host of the scene, and how it is seen whether it was taken. */
export interface WordScene {
  readonly offered: (
    reason: string,
    nonces?: { readonly [name in WordName]?: string }
  ) => Effect.Effect<ReadonlyArray<OfferedWord>>
  /** Each op in an envelope of its own, with a desired state of the store before it, and of the one after it. */
  readonly envelopes: (offered: ReadonlyArray<OfferedWord>) => Home["envelopes"]
  readonly isDone: (call: WordName, reached: Reached) => boolean
  /** Root edits both files, which hold again by that: an op that is done a second time would show. */
  readonly editedByRoot: (home: Pick<Home, "folder">) => Effect.Effect<void>
  /** Whether root's files hold. */
  readonly goesByRoot: (reached: Reached) => boolean
}

export const makeWordScene = ({ rootsList, sign, trust }: Scene): WordScene => {
  const list = `# another fleet's\n${rootsList}`
  const edited = `${rootsList}# by root\n`
  const issued = Date.now()
  const wish = (epoch: string): string =>
    Encoding.encodeBase64(JSON.stringify({
      typ: desiredType,
      host: trust.hostId,
      hostEpoch: trust.hostEpoch,
      epoch,
      version: 1,
      issued,
      expires: issued + 3_600_000,
      state: { guests: [] }
    }))
  const listText = JSON.stringify({
    typ: signersType,
    fleet: "f".repeat(32),
    version,
    from: { allowedSigners: sha256("another list"), revoked: sha256("") },
    issued,
    allowedSigners: list,
    revoked: "",
    reason: "the host joins another fleet"
  })
  const ops: { readonly [name in WordName]: object } = {
    "policy.widen": { target: { sha256: sha256(widened) }, expect: { sha256: null }, params: {} },
    "signers.update": {
      target: { sha256: sha256(listText) },
      expect: { version: 0, sha256: sha256(rootsList) },
      params: { version }
    },
    "desired.accept_epoch": { target: { epoch: epochs[1] }, expect: { epoch: epochs[0], version: 1 }, params: {} }
  }
  const documentOf = (call: WordName): Effect.Effect<string | null> => {
    switch (call) {
      case "policy.widen":
        return Effect.succeed(Encoding.encodeBase64(widened))
      case "signers.update":
        return Effect.map(
          sign(listText, signersNamespace),
          (signed) => Encoding.encodeBase64(encodeAttachedSigners(signed))
        )
      case "desired.accept_epoch":
        return Effect.succeed(null)
    }
  }

  return {
    offered: (reason, nonces = {}) =>
      Effect.forEach(wordNames, (call) =>
        Effect.gen(function*() {
          const now = Date.now()
          const nonce = nonces[call] ?? freshNonce()
          const signed = yield* sign(
            JSON.stringify({
              typ: opType,
              host: trust.hostId,
              hostEpoch: trust.opEpoch,
              nonce,
              iat: now,
              nbf: now,
              exp: now + 3_600_000,
              storeSeqMin: trust.storeSeq,
              reason,
              op: call,
              ...ops[call]
            }),
            opNamespace
          )
          const document = yield* documentOf(call)
          return { call, nonce, signed: document === null ? signed : { ...signed, document } }
        })),
    envelopes: (offered) => [
      ...offered.map(({ signed }, at) => ({
        ops: [signed],
        signers: [],
        ...(at === 0 ? { desired: wish(epochs[0]) } : {})
      })),
      { ops: [], signers: [], desired: wish(epochs[1]) }
    ],
    isDone: (call, { epoch, policy, signers }) => {
      switch (call) {
        case "policy.widen":
          return policy === sha256(widened)
        case "signers.update":
          return signers === sha256(list)
        case "desired.accept_epoch":
          return epoch === epochs[1]
      }
    },
    editedByRoot: ({ folder }) =>
      Effect.sync(() => {
        writeFileSync(join(folder, "policy.json"), rootsPolicy)
        writeFileSync(join(folder, "allowed_signers"), edited)
      }),
    goesByRoot: ({ policy, signers }) => policy === sha256(rootsPolicy) && signers === sha256(edited)
  }
}
