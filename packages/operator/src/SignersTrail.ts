import { type HeldSigners, readVersion } from "@felhom/authz/AcceptedSigners"
import { readAllowedSigners } from "@felhom/authz/AllowedSigners"
import { HostPolicy } from "@felhom/authz/HostPolicy"
import { usualPolicy } from "@felhom/authz/PolicyDocument"
import { nothingRevoked } from "@felhom/authz/RevocationList"
import { Signers, type SignersReading } from "@felhom/authz/Signers"
import type { SignersRefused } from "@felhom/authz/SignersRefused"
import { continuing, type GoodVersion } from "@felhom/authz/SignersVersion"
import { Crypto } from "@felhom/domain/port/Crypto"
import type { SignatureCrypto } from "@felhom/domain/port/SignatureCrypto"
import type { SignersEntry } from "@felhom/domain/SignersApi"
import { decodeSigners } from "@felhom/domain/SignersDocument"
import { decodeCanonicalBase64 } from "@felhom/domain/Sshsig"
import { Effect, Either, Option } from "effect"
import { HubSigners, type SignedList } from "./HubSigners.ts"
import { type KnownFleet, KnownSigners } from "./KnownSigners.ts"
import { OperatorError } from "./OperatorError.ts"

/** How far a fleet's signers were followed, and the lists that hold there. */
export interface Trail {
  readonly known: KnownFleet
  /** As a host has it that took the last version. */
  readonly reading: SignersReading
  /** 0: root's own list, before any version. */
  readonly version: number
  readonly texts: { readonly allowedSigners: string; readonly revoked: string }
}

const distrust = (detail: string): OperatorError => new OperatorError({ reason: "distrust", detail })

const unreadable = (why: string): OperatorError =>
  new OperatorError({
    reason: "usage",
    detail: `the signers that this machine kept do not read: ${why}; felhom signers trust --host HOST begins anew`
  })

const lastOf = ({ anchor, versions }: KnownFleet): SignedList | undefined =>
  versions.at(-1) ?? ("version" in anchor ? anchor.version : undefined)

/** A version, read, as a host that took it has it. */
export const heldIn = ({ payload }: SignedList): Effect.Effect<HeldSigners, string, Crypto> =>
  Effect.gen(function*() {
    const crypto = yield* Crypto
    const bytes = yield* decodeCanonicalBase64(payload)
    const document = yield* Either.mapLeft(decodeSigners(bytes), ({ message }) => message)
    const sha256 = yield* crypto.sha256(bytes)
    const version = yield* Effect.mapError(
      readVersion(bytes, sha256, document),
      ({ detail, list }) => `its ${list}: ${detail}`
    )
    return { ...version, anchor: version.lists.allowedSigners }
  })

const readingOfList = (allowedSigners: string) =>
  Effect.gen(function*() {
    const crypto = yield* Crypto
    const signers = yield* Either.mapLeft(
      readAllowedSigners(new TextEncoder().encode(allowedSigners)),
      ({ message }) => message
    )
    const sha256 = yield* crypto.sha256(allowedSigners)
    const reading: SignersReading = {
      signers,
      revoked: nothingRevoked,
      sha256,
      root: { sha256, revoked: nothingRevoked },
      held: Option.none(),
      followed: false,
      lists: { allowedSigners: sha256, revoked: yield* crypto.sha256("") },
      problem: Option.none()
    }
    return reading
  })

const readingOfVersion = (held: HeldSigners): SignersReading => ({
  signers: held.signers,
  revoked: held.revoked,
  sha256: held.lists.allowedSigners,
  root: { sha256: held.anchor, revoked: nothingRevoked },
  held: Option.some(held),
  followed: true,
  lists: held.lists,
  problem: Option.none()
})

/** Where the kept chain ends. It was verified when it was kept. */
export const trailOf = (known: KnownFleet): Effect.Effect<Trail, OperatorError, Crypto> =>
  Effect.gen(function*() {
    const last = lastOf(known)
    if (last !== undefined) {
      const held = yield* heldIn(last)
      const { allowedSigners, revoked, version } = held.document
      const followed: Trail = { known, reading: readingOfVersion(held), version, texts: { allowedSigners, revoked } }
      if (known.root === undefined) return followed
      const own = yield* readingOfList(known.root)
      // What the fleet revoked stays revoked (protocol 5).
      const lists = { allowedSigners: own.sha256, revoked: held.lists.revoked }
      const reading: SignersReading = { ...own, revoked: held.revoked, held: Option.some(held), lists }
      return { ...followed, reading, texts: { allowedSigners: known.root, revoked } }
    }
    const allowedSigners = "allowedSigners" in known.anchor ? known.anchor.allowedSigners : ""
    const reading = yield* readingOfList(allowedSigners)
    return { known, reading, version: 0, texts: { allowedSigners, revoked: "" } }
  }).pipe(Effect.mapError(unreadable))

/** Whether a version continues from there, by the rules and the very verifier of a host with this threshold. */
export const judged = (
  { known: { threshold }, reading }: Trail,
  signed: SignedList
): Effect.Effect<GoodVersion, SignersRefused, Crypto | SignatureCrypto> =>
  continuing(signed).pipe(
    Effect.provideService(Signers, { current: Effect.succeed(reading) }),
    Effect.provideService(HostPolicy, {
      current: Effect.succeed({
        policy: { ...usualPolicy, signatures: { ...usualPolicy.signatures, threshold } },
        sha256: null,
        root: null,
        problem: Option.none()
      })
    })
  )

/** The same trail with one version more. It has to have been judged. */
export const withVersion = (trail: Trail, signed: SignedList): Effect.Effect<Trail, OperatorError, Crypto> => {
  // Root's list was the beginning of this one.
  const { root: _, ...known } = trail.known
  return trailOf({
    ...known,
    versions: [...known.versions, { payload: signed.payload, signatures: signed.signatures }]
  })
}

/** What a hub has beyond or short of what was followed. */
export interface Followed {
  readonly trail: Trail
  /** The hub's versions of the fleet, by their own word. */
  readonly entries: ReadonlyArray<SignersEntry>
  /** For the person: what of the hub's does not hold, or what it lacks. */
  readonly notes: ReadonlyArray<string>
}

/** A hub that serves other bytes under a number that was seen lies, or somebody made a second list. */
const contradiction = (known: KnownFleet, entries: ReadonlyArray<SignersEntry>) =>
  Effect.gen(function*() {
    const own = [...("version" in known.anchor ? [known.anchor.version] : []), ...known.versions]
    for (const signed of own) {
      const { document, sha256 } = yield* Effect.mapError(heldIn(signed), unreadable)
      const other = entries.find((entry) => entry.version === document.version && entry.sha256 !== sha256)
      if (other !== undefined) {
        return yield* distrust(
          `version ${document.version} of fleet ${known.fleet}'s signers is ${sha256} here, verified, and ${other.sha256} at the ` +
            "hub: one of them is not what the signers made. Nothing was done; ask them, and who runs the hub"
        )
      }
    }
  })

/**
 * Follows a fleet's signers at the hub from where this person left off: each version only if the one before lets it (protocol 5),
 * and never back. What was verified is kept.
 */
export const followed = (
  known: KnownFleet
): Effect.Effect<Followed, OperatorError, HubSigners | KnownSigners | Crypto | SignatureCrypto> =>
  Effect.gen(function*() {
    const hub = yield* HubSigners
    const entries = (yield* hub.list).filter(({ fleet }) => fleet === known.fleet)
    yield* contradiction(known, entries)
    let trail = yield* trailOf(known)
    const notes: Array<string> = []
    for (const { fleet, state, version } of entries.toSorted((a, b) => a.version - b.version)) {
      if (version <= trail.version || state !== "served") continue
      const { signed } = yield* hub.one(fleet, version)
      const answer = yield* Effect.either(judged(trail, signed))
      if (Either.isLeft(answer)) {
        notes.push(`the hub's version ${version} was not taken: ${answer.left.message}`)
        break
      }
      trail = yield* withVersion(trail, signed)
    }
    if (trail.known !== known) yield* Effect.flatMap(KnownSigners, (kept) => kept.keep(trail.known))
    const latest = Math.max(0, ...entries.map(({ version }) => version))
    if (latest < trail.version) {
      notes.push(
        `the hub has version ${latest}, and version ${trail.version} was verified here: it was set back, or restored from a ` +
          "backup; felhom signers push brings the rest"
      )
    }
    return { trail, entries, notes }
  })
