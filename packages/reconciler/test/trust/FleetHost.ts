import { HostPolicy } from "@felhom/authz/HostPolicy"
import { Signers } from "@felhom/authz/Signers"
import type { Ed25519Key } from "@felhom/domain/port/Ed25519"
import { encodeAttachedSigners, signersNamespace, signersType } from "@felhom/domain/SignersDocument"
import { DesiredIntake } from "@felhom/reconciler/desired/DesiredIntake"
import { Effect, Encoding } from "effect"
import { createHash } from "node:crypto"
import { hostId, keyLine, paths, type Running, sign, start, stateEpoch } from "../op/SignedHost.ts"

export const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex")

export const fleet = "f".repeat(32)

/** A list of signers with these names and keys. */
export const listOf = (people: { readonly [name: string]: Ed25519Key }): string =>
  Object.entries(people).map(([name, key]) => `${keyLine(name, key)}\n`).join("")

export const revokedKey = (key: Ed25519Key): string => `${keyLine("", key).trim()}\n`

/** The text of one version of the fleet's signers, whose `from` is given by what it held. */
export const versionText = (version: number, from: readonly [string, string], list: string, revoked = ""): string =>
  JSON.stringify({
    typ: signersType,
    fleet,
    version,
    from: { allowedSigners: sha256(from[0]), revoked: sha256(from[1]) },
    issued: start,
    allowedSigners: list,
    revoked,
    reason: "as the test wants it"
  })

export const signVersion = (text: string, keys: ReadonlyArray<Ed25519Key>) => sign(text, keys, signersNamespace)

/** What an operator hands in with `signers.update`. */
export const attached = (text: string, keys: ReadonlyArray<Ed25519Key>) =>
  Effect.map(signVersion(text, keys), (version) => Encoding.encodeBase64(encodeAttachedSigners(version)))

export const updateOf = (
  text: string,
  version: number,
  shown: { readonly version: number; readonly list: string }
) => ({
  op: "signers.update",
  target: { sha256: sha256(text) },
  expect: { version: shown.version, sha256: sha256(shown.list) },
  params: { version }
})

export const widenTo = (text: string, shown: string | null) => ({
  op: "policy.widen",
  target: { sha256: sha256(text) },
  expect: { sha256: shown === null ? null : sha256(shown) }
})

export const acceptEpoch = (epoch: string, shown: { readonly epoch: string | null; readonly version: number }) => ({
  op: "desired.accept_epoch",
  target: { epoch },
  expect: shown
})

export const policyPath = paths.policy

export const signersNow = (agent: Running) => agent.run(Effect.flatMap(Signers, (signers) => signers.current))
export const policyNow = (agent: Running) => agent.run(Effect.flatMap(HostPolicy, (policy) => policy.current))
export const desiredNow = (agent: Running) =>
  agent.run(Effect.flatMap(DesiredIntake, ({ held, status }) => Effect.all({ held, status })))

/** The hub's epochs. */
export const epochs = { first: "a".repeat(32), second: "b".repeat(32) } as const

const guest = {
  guest: { type: "lxc", identity: { hwaddrs: [], volumes: ["ctstore:x"], smbiosUuid: null, key: null } },
  power: "running"
}
/** Wishes for one guest, and for none. */
export const states = { one: { guests: [guest] }, none: { guests: [] } } as const

/** A desired state for this host, in base64, with what the test changes in it. */
export const desired = (version: number, changed: object = {}): string =>
  Encoding.encodeBase64(desiredText(version, changed))

export const desiredText = (version: number, changed: object = {}): string =>
  JSON.stringify({
    typ: "felhom/desired/v1",
    host: hostId,
    hostEpoch: stateEpoch,
    epoch: epochs.first,
    version,
    issued: start,
    expires: start + 86_400_000,
    state: states.one,
    ...changed
  })
