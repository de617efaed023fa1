import { HostPolicy } from "@felhom/authz/HostPolicy"
import { Signers } from "@felhom/authz/Signers"
import { mostSignatures, verifyThreshold } from "@felhom/authz/Threshold"
import type { DesiredPolicy } from "@felhom/domain/DesiredPolicy"
import { decodeGolden, type GoldenManifest, goldenNamespace, longestGolden } from "@felhom/domain/GoldenManifest"
import { SignatureCrypto } from "@felhom/domain/port/SignatureCrypto"
import type { Volid } from "@felhom/domain/ProxmoxId"
import { decodeCanonicalBase64 } from "@felhom/domain/Sshsig"
import { EpochMillis } from "@felhom/domain/Time"
import type { KeptDocumentError } from "@felhom/durable/KeptDocument"
import type { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import type { ProxmoxError } from "@felhom/proxmox/ProxmoxError"
import { Clock, Context, Effect, Either, Layer, Option } from "effect"
import { ArchiveBytes } from "./ArchiveBytes.ts"
import { archivePlace } from "./ArchivePlace.ts"
import { isRootsOwn, withGolden } from "./GoldenPolicy.ts"
import { GoldenRefused } from "./GoldenRefused.ts"
import { GoldenStore, type HeldGolden, type SignedGolden } from "./GoldenStore.ts"
import { type Architecture, goldenConfigTrouble, seeArchive } from "./SeenArchive.ts"

/** A manifest, and who signed it. */
export interface AcceptedGolden {
  readonly manifest: GoldenManifest
  readonly principals: ReadonlyArray<string>
}

/** `look`: all that can be told without reading the archive. `read`: its bytes, too. */
export type CheckDepth = "look" | "read"

/**
 * Golden images of this host: what operators signed, and whether an archive is that. A hub can bring none of them, and what it
 * wishes for is made from no archive but those.
 */
export class GoldenImages extends Context.Tag("felhom/reconciler/GoldenImages")<GoldenImages, {
  /** Takes a signed manifest that root brought. */
  readonly accept: (signed: SignedGolden) => Effect.Effect<AcceptedGolden, GoldenRefused>
  readonly held: Effect.Effect<ReadonlyArray<HeldGolden>, GoldenRefused>
  /** The policy with the archives of the golden images that it names among its `images`; what is not accepted here is none. */
  readonly allowed: (policy: DesiredPolicy) => Effect.Effect<DesiredPolicy, GoldenRefused>
  /**
   * Whether a guest may be made from this archive: one of root's own images, or one whose manifest was signed by operators who are
   * trusted now, and which is still what they signed. Answers with what could not be looked at and is let pass by the policy.
   */
  readonly check: (
    archive: Volid,
    policy: DesiredPolicy,
    depth: CheckDepth
  ) => Effect.Effect<string | undefined, GoldenRefused | ProxmoxError, ProxmoxClient>
}>() {}

const called = ({ name, version }: GoldenManifest): string => `golden image ${name} version ${version}`

const notKept = ({ message }: KeptDocumentError) =>
  new GoldenRefused({ reason: "store", what: "golden images", detail: message })

const longestPayload = Math.ceil(longestGolden / 3) * 4

/** What differs between an archive and its manifest, as far as it can be seen without reading it. */
const seenTrouble = (
  manifest: GoldenManifest,
  seen: { readonly size: number; readonly config: string },
  architecture: Architecture
): string | undefined => {
  if (seen.size !== manifest.size) {
    return `${manifest.volid} has ${seen.size} bytes, and ${manifest.size} were signed`
  }
  if (seen.config !== manifest.config) return `the configuration in ${manifest.volid} is not the one that was signed`
  const trouble = goldenConfigTrouble(seen.config, architecture)
  return trouble === undefined ? undefined : `${manifest.volid}: ${trouble}`
}

/** For a host of this architecture. */
export const make = (
  architecture: Architecture
): Effect.Effect<
  typeof GoldenImages.Service,
  never,
  GoldenStore | ArchiveBytes | Signers | HostPolicy | SignatureCrypto
> =>
  Effect.gen(function*() {
    const store = yield* GoldenStore
    const bytesOf = yield* ArchiveBytes
    const signers = yield* Signers
    const hostPolicy = yield* HostPolicy
    const crypto = yield* SignatureCrypto

    /** The bytes are read only once it is known that enough who are trusted now have signed them. */
    const verified = (signed: SignedGolden, what: string): Effect.Effect<AcceptedGolden, GoldenRefused> =>
      Effect.gen(function*() {
        const refuse = (reason: GoldenRefused["reason"], detail: string) => new GoldenRefused({ reason, what, detail })
        if (signed.payload.length > longestPayload || signed.signatures.length > mostSignatures) {
          return yield* refuse("form", `it is longer than ${longestGolden} bytes, or has too many signatures`)
        }
        const message = yield* Either.mapLeft(decodeCanonicalBase64(signed.payload), (why) => refuse("form", why))
        const reading = yield* Effect.mapError(signers.current, ({ message }) => refuse("signers", message))
        const { policy, problem } = yield* hostPolicy.current
        if (Option.isSome(problem)) return yield* refuse("signers", problem.value)
        const { softwareKeys, threshold, verification } = policy.signatures
        const judgement = {
          message,
          namespace: goldenNamespace,
          at: EpochMillis.make(yield* Clock.currentTimeMillis),
          signers: reading.signers,
          revoked: reading.revoked,
          demands: { softwareKeys, verification }
        }
        const signatories = yield* Effect.mapError(
          verifyThreshold(signed.signatures, judgement, threshold),
          ({ detail, reason }) => refuse("signature", `${reason}: ${detail}`)
        ).pipe(Effect.provideService(SignatureCrypto, crypto))
        const manifest = yield* Either.mapLeft(decodeGolden(message), ({ detail }) => refuse("manifest", detail))
        return { manifest, principals: signatories.map(({ principal }) => principal) }
      })

    const held = Effect.mapError(store.held, notKept)

    /** Compares what lies there with what was signed, byte for byte; what can't be read needs the policy's leave. */
    const compared = (manifest: GoldenManifest, { golden }: DesiredPolicy) =>
      Effect.gen(function*() {
        const what = called(manifest)
        const { bytes, volid } = manifest
        const unread = (why: string) =>
          golden.unread
            ? Effect.succeed(`the bytes of ${volid} were not compared with what was signed: ${why}`)
            : new GoldenRefused({
              reason: "unread",
              what,
              detail: `the bytes of ${volid} can't be compared with what was signed: ${why}`
            })
        if (!("sha256" in bytes)) return yield* unread(`nobody read them when they were signed: ${bytes.unread}`)
        const place = yield* archivePlace(volid)
        const found = yield* Effect.either(Effect.flatMap(place, bytesOf.read))
        if (Either.isLeft(found)) return yield* unread(found.left)
        if (found.right.sha256 !== bytes.sha256) {
          const detail = `the bytes of ${volid} are not those that were signed: ` +
            `SHA-256 ${found.right.sha256}, and ${bytes.sha256} was signed`
          return yield* new GoldenRefused({ reason: "archive", what, detail })
        }
        return undefined
      })

    const looked = (one: HeldGolden, policy: DesiredPolicy, depth: CheckDepth) =>
      Effect.gen(function*() {
        const { manifest } = yield* verified(one.signed, called(one.manifest))
        const what = called(manifest)
        const seen = yield* seeArchive(manifest.volid, what)
        const trouble = seenTrouble(manifest, seen, architecture)
        if (trouble !== undefined) return yield* new GoldenRefused({ reason: "archive", what, detail: trouble })
        // Without a hash there is nothing to read.
        return depth === "read" || !("sha256" in manifest.bytes) ? yield* compared(manifest, policy) : undefined
      })

    return GoldenImages.of({
      held,
      accept: (signed) =>
        Effect.gen(function*() {
          const accepted = yield* verified(signed, "the manifest")
          yield* Effect.mapError(
            store.keep({ manifest: accepted.manifest, signed }),
            (error) => error._tag === "GoldenRefused" ? error : notKept(error)
          )
          return accepted
        }),
      allowed: (policy) =>
        policy.golden.images.length === 0
          ? Effect.succeed(policy)
          : Effect.map(held, (all) => withGolden(policy, all)),
      check: (archive, policy, depth) =>
        Effect.gen(function*() {
          const one = (yield* held).find(({ manifest }) => manifest.volid === archive)
          if (one !== undefined) return yield* looked(one, policy, depth)
          return isRootsOwn(policy, archive) ? undefined : yield* new GoldenRefused({
            reason: "not-accepted",
            what: archive,
            detail: "it is no image that root's policy names, and no manifest that was accepted here names it"
          })
        })
    })
  })

/** What `make` makes. */
export const layer = (
  architecture: Architecture
): Layer.Layer<GoldenImages, never, GoldenStore | ArchiveBytes | Signers | HostPolicy | SignatureCrypto> =>
  Layer.effect(GoldenImages, make(architecture)).pipe(
    Layer.ensureRequirementsType<GoldenStore | ArchiveBytes | Signers | HostPolicy | SignatureCrypto>()
  )
