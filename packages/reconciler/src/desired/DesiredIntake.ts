import { hubTolerance } from "@felhom/authz/HubTime"
import { makeRateCap } from "@felhom/authz/RateCap"
import {
  decodeDesired,
  type DesiredDocument,
  farthestDesiredVersion,
  isEmptyState,
  longestDesired
} from "@felhom/domain/DesiredDocument"
import type { HostEpoch, HostId } from "@felhom/domain/HostId"
import type { DesiredHeld, DesiredStatus } from "@felhom/domain/HostReport"
import { Crypto } from "@felhom/domain/port/Crypto"
import type { Sha256Hex } from "@felhom/domain/Sha256"
import { decodeCanonicalBase64 } from "@felhom/domain/Sshsig"
import { Clock, Context, Effect, Either, Layer, Option } from "effect"
import { makeOnce } from "../trust/Once.ts"
import { TrustNews } from "../trust/TrustNews.ts"
import { DesiredRefused } from "./DesiredRefused.ts"
import { DesiredStore, type HeldDesired } from "./DesiredStore.ts"

/** Whose desired state is taken here. */
export interface DesiredHost {
  readonly id: HostId
  /** The incarnation of its own stores, as its reports give it (`host.epoch`). */
  readonly epoch: HostEpoch
}

/** Where desired state comes in (protocol 4): what may be taken is on the disk before anybody goes by it, the rest is told of once. */
export class DesiredIntake extends Context.Tag("felhom/reconciler/DesiredIntake")<DesiredIntake, {
  /** The document of an envelope, in base64. A hold does not keep it out, as taking it does nothing. */
  readonly fromHub: (document: string) => Effect.Effect<void>
  /** For the inventory, before anything was held against it; null where none was ever taken, or none can be read. */
  readonly status: Effect.Effect<DesiredStatus | null>
  /** What the hub has to go by; null where none was ever taken, undefined where that can't be read. */
  readonly held: Effect.Effect<DesiredHeld | null | undefined>
}>() {}

type Needs = DesiredStore | TrustNews | Crypto

/** How many are taken: each is written to the disk, and a hub that has another every few seconds would wear it out. */
const takes = { atOnce: 10, perMinute: 2 } as const
const toldRefusals = { atOnce: 20, perMinute: 10 } as const
/** That more come than are taken is news once an hour, whichever they are. */
const toldFloods = { atOnce: 1, perMinute: 1 / 60 } as const
const longestText = Math.ceil(longestDesired / 3) * 4

interface Come {
  readonly document: DesiredDocument
  readonly sha256: Sha256Hex
}

type Problem = readonly [DesiredRefused["reason"], string]

const time = (at: number): string => new Date(at).toISOString()

const addressProblem = ({ host, hostEpoch }: DesiredDocument, here: DesiredHost): Problem | undefined =>
  host !== here.id
    ? ["other-host", `it is for the host ${host}`]
    : hostEpoch !== here.epoch
    ? ["other-host-epoch", `it is for the epoch ${hostEpoch} of this host, whose epoch is ${here.epoch}`]
    : undefined

const numberProblem = ({ document, sha256 }: Come, held: HeldDesired | undefined): Problem | undefined => {
  const { epoch, version } = document
  if (held !== undefined && held.epoch !== epoch) {
    return ["other-epoch", `it is of the hub's epoch ${epoch}, and this host goes by ${held.epoch}`]
  }
  const before = held?.version ?? 0
  if (version < before) return ["version-behind", `it is version ${version}, and this host has version ${before}`]
  if (version === before && held?.sha256 !== sha256) {
    return ["same-version", `it is another version ${version} than the one that this host has`]
  }
  return version - before > farthestDesiredVersion
    ? ["version-jump", `it is version ${version}, and this host has version ${before}: no hub goes that fast`]
    : undefined
}

const timeProblem = ({ expires, issued }: DesiredDocument, now: number): Problem | undefined =>
  now >= expires
    ? ["expired", `it was good until ${time(expires)}, and it is ${time(now)}`]
    : issued > now + hubTolerance
    ? ["issued-ahead", `it says it was made at ${time(issued)}, and it is ${time(now)}`]
    : undefined

const emptyProblem = ({ allowEmpty, state }: DesiredDocument, held: HeldDesired | undefined): Problem | undefined => {
  const before = held?.document?.state
  return isEmptyState(state) && allowEmpty !== true && before !== undefined && !isEmptyState(before)
    ? ["empty", "it wishes for nothing, and the one before did"]
    : undefined
}

/** Why the host can't take it (protocol 4), first things first; undefined when it can. */
const problemOf = (come: Come, held: HeldDesired | undefined, here: DesiredHost, now: number): Problem | undefined =>
  addressProblem(come.document, here) ?? numberProblem(come, held) ?? timeProblem(come.document, now) ??
    emptyProblem(come.document, held)

const read = (text: string) =>
  Effect.gen(function*() {
    const refuse = (sha256: Sha256Hex | null, reason: DesiredRefused["reason"], detail: string) =>
      new DesiredRefused({ reason, detail, sha256 })
    if (text.length > longestText) return yield* refuse(null, "too-long", `it is longer than ${longestDesired} bytes`)
    const bytes = yield* Either.mapLeft(decodeCanonicalBase64(text), (why) => refuse(null, "encoding", why))
    return { bytes, sha256: yield* (yield* Crypto).sha256(bytes) }
  })

/** For this host. */
export const make = (here: DesiredHost): Effect.Effect<typeof DesiredIntake.Service, never, Needs> =>
  Effect.gen(function*() {
    const store = yield* DesiredStore
    const news = yield* TrustNews
    const crypto = yield* Crypto
    const mayTake = yield* makeRateCap(takes)
    const mayTell = yield* makeRateCap(toldRefusals)
    const mayTellOfFlood = yield* makeRateCap(toldFloods)
    const told = makeOnce()
    const audited = makeOnce()

    const refused = (error: DesiredRefused, key: string) =>
      Effect.gen(function*() {
        if (told.has(key)) return
        if (!(yield* error.reason === "rate" ? mayTellOfFlood : mayTell)) {
          return yield* Effect.logDebug("a desired state is refused", error.message)
        }
        if (error.reason !== "rate") told.add(key)
        yield* news.desiredRefused(error)
      })

    const kept = (bytes: Uint8Array, sha256: Sha256Hex) =>
      store.change((current) =>
        Effect.gen(function*() {
          const held = Option.getOrUndefined(current)
          const document = yield* Either.mapLeft(
            decodeDesired(bytes),
            ({ detail, reason }) => new DesiredRefused({ reason, detail, sha256 })
          )
          const problem = problemOf({ document, sha256 }, held, here, yield* Clock.currentTimeMillis)
          if (problem !== undefined) {
            return yield* new DesiredRefused({ reason: problem[0], detail: problem[1], sha256 })
          }
          if (!(yield* mayTake)) {
            return yield* new DesiredRefused({ reason: "rate", detail: "too many came in a short time", sha256 })
          }
          const { epoch, version } = document
          if (!audited.has(sha256)) {
            yield* news.desiredAudited({ epoch, version, sha256 })
            audited.add(sha256)
          }
          return { epoch, version, bytes }
        })
      ).pipe(Effect.mapError((error) =>
        error._tag === "DesiredRefused"
          ? error
          : new DesiredRefused({ reason: "store", detail: error.message, sha256 })
      ))

    const take = (text: string) =>
      Effect.gen(function*() {
        const { bytes, sha256 } = yield* read(text)
        const held = yield* Effect.mapError(
          store.current,
          (error) => new DesiredRefused({ reason: "store", detail: error.message, sha256 })
        )
        // The same again says nothing new.
        if (Option.isSome(held) && held.value.sha256 === sha256) return
        yield* kept(bytes, sha256)
        yield* Effect.logInfo("took a desired state").pipe(
          Effect.annotateLogs({ sha256 })
        )
      }).pipe(Effect.provideService(Crypto, crypto), Effect.uninterruptible)

    const readHeld = Effect.match(store.current, { onFailure: () => undefined, onSuccess: Option.getOrNull })

    return DesiredIntake.of({
      fromHub: (text) =>
        Effect.catchAll(take(text), (error) => refused(error, `${error.sha256 ?? text.slice(0, 64)} ${error.reason}`)),
      held: Effect.map(readHeld, (held) => held && { epoch: held.epoch, version: held.version, sha256: held.sha256 }),
      status: Effect.zipWith(
        readHeld,
        Clock.currentTimeMillis,
        (held, now) =>
          held === null || held === undefined ? null : {
            epoch: held.epoch,
            version: held.version,
            stale: held.version === 0 || held.document === null || now >= held.document.expires,
            compared: false,
            drift: [],
            blocked: []
          }
      )
    })
  })

/** What `make` takes. */
export const layer = (here: DesiredHost): Layer.Layer<DesiredIntake, never, Needs> =>
  Layer.effect(DesiredIntake, make(here)).pipe(Layer.ensureRequirementsType<Needs>())
