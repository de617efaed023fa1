import { HttpApiBuilder, type HttpApiGroup } from "@effect/platform"
import type { HostId } from "@felhom/domain/HostId"
import { claimBytes, enrolNamespace, type HostPublicKey, hostPublicKey } from "@felhom/domain/HostKey"
import { HubApi } from "@felhom/domain/HubApi"
import { HubConflict, HubForbidden, HubNotFound } from "@felhom/domain/HubRefusal"
import { Ed25519 } from "@felhom/domain/port/Ed25519"
import { decodeCanonicalBase64, readArmor, readBlob, SshsigError, verifySshsig } from "@felhom/domain/Sshsig"
import { EpochMillis } from "@felhom/domain/Time"
import { Effect, Either, Layer, Option } from "effect"
import { AlarmStore } from "./AlarmStore.ts"
import { operatorLayer } from "./Authorization.ts"
import { Challenges } from "./Challenges.ts"
import { EnrolmentTokens } from "./EnrolmentTokens.ts"
import { ExpectedHosts } from "./ExpectedHosts.ts"
import { HostKeyStore } from "./HostKeyStore.ts"
import { HostStore } from "./HostStore.ts"
import { RateLimit } from "./RateLimit.ts"
import { limitedByAddress } from "./RequestLimits.ts"
import { requires } from "./RequiredRole.ts"
import { tokenId, type TokenRow, TokenStore } from "./TokenStore.ts"
import { TwinWatch } from "./TwinWatch.ts"
import { unavailable } from "./Unavailable.ts"

type Group<Name extends string> = HttpApiGroup.ApiGroup<"felhom-hub", Name>

const otherKey = (host: HostId): HubConflict =>
  new HubConflict({
    message:
      `host ${host} has another key pinned; a host that was installed anew has a new host id, so somebody uses an ` +
      "old one: move the state folder on that host away, and enrol it as the new host that it is"
  })

/** For hosts without a Bearer. Who asks is told nothing of other hosts. */
export const enrolmentLayer: Layer.Layer<
  Group<"enrolment">,
  never,
  EnrolmentTokens | HostKeyStore | Challenges | TokenStore | RateLimit | Ed25519
> = HttpApiBuilder.group(HubApi, "enrolment", (handlers) =>
  Effect.gen(function*() {
    const enrolments = yield* EnrolmentTokens
    const keys = yield* HostKeyStore
    const challenges = yield* Challenges
    const tokens = yield* TokenStore
    const curve = yield* Ed25519
    const limits = yield* RateLimit
    const limited = Effect.provideService(limitedByAddress, RateLimit, limits)
    return handlers
      .handle("ask", ({ payload }) =>
        Effect.gen(function*() {
          yield* limited
          yield* Effect.catchTag(enrolments.use(payload), "StoreError", unavailable)
          const { pinned } = yield* Effect.catchAll(keys.standing(payload.host), unavailable)
          if (pinned !== null && pinned !== payload.publicKey) return yield* otherKey(payload.host)
          yield* Effect.catchAll(keys.wait(payload), unavailable)
          return { state: pinned === null ? "waiting" as const : "accepted" as const }
        }))
      .handle("challenge", () => Effect.zipRight(limited, Effect.map(challenges.give, (challenge) => ({ challenge }))))
      .handle("claim", ({ payload: { challenge, host, signature } }) =>
        Effect.gen(function*() {
          yield* limited
          if (!(yield* challenges.take(challenge))) {
            return yield* new HubForbidden({
              message: "this challenge was answered already or is too old; ask for a new one"
            })
          }
          const proof = yield* Either.mapLeft(
            decodeCanonicalBase64(signature),
            (detail) => new SshsigError({ reason: "blob", detail })
          ).pipe(
            Effect.flatMap((blob) =>
              verifySshsig({ blob, namespace: enrolNamespace, message: claimBytes(host, challenge) })
            ),
            Effect.provideService(Ed25519, curve),
            Effect.mapError((error) => new HubForbidden({ message: `${error.message}; no token was given out` }))
          )
          const accepted = yield* Effect.catchAll(keys.accepted(host, hostPublicKey(proof.publicKey)), unavailable)
          if (Option.isNone(accepted)) {
            return yield* new HubForbidden({
              message: `host ${host} did not enrol with this key; run felhom-agent enrol`
            })
          }
          if (!accepted.value) return { state: "waiting" as const }
          if (yield* Effect.catchAll(keys.isRetired(host), unavailable)) {
            return yield* new HubForbidden({
              message:
                `host ${host} was retired at this hub; if it is in service, an admin takes that back: felhom retire --undo`
            })
          }
          const token = yield* Effect.catchAll(tokens.issue(host, "enrolled"), unavailable)
          return { state: "accepted" as const, token }
        }))
  }))

const summaryOf = (row: TokenRow) => ({
  id: tokenId(row),
  role: row.role,
  label: row.label,
  createdAt: EpochMillis.make(row.createdAt),
  host: row.hostId,
  expiresAt: null,
  state: row.revokedAt === null ? "live" as const : "revoked" as const
})

/** The key that signed the last report of a host that was never enrolled, when it is this one. */
const signedBy = (hosts: typeof HostStore.Service, host: HostId, key: HostPublicKey) =>
  Effect.map(
    Effect.catchAll(hosts.signed(host), unavailable),
    (signed) =>
      Option.exists(signed, ({ report: { signatures: [signature] } }) =>
        signature !== undefined && Either.match(Either.flatMap(readArmor(signature), readBlob), {
          onLeft: () =>
            false,
          onRight: ({ publicKey }) => hostPublicKey(publicKey) === key
        }))
  )

/** For people. */
export const administrationLayer: Layer.Layer<
  Group<"administration">,
  never,
  EnrolmentTokens | ExpectedHosts | HostKeyStore | HostStore | TokenStore | AlarmStore | TwinWatch
> = HttpApiBuilder.group(HubApi, "administration", (handlers) =>
  Effect.gen(function*() {
    const enrolments = yield* EnrolmentTokens
    const expected = yield* ExpectedHosts
    const keys = yield* HostKeyStore
    const hosts = yield* HostStore
    const tokens = yield* TokenStore
    const alarms = yield* AlarmStore
    const twins = yield* TwinWatch
    const allTokens = Effect.catchAll(
      Effect.zipWith(tokens.list, enrolments.list, (bearers, once) => [...bearers.map(summaryOf), ...once]),
      unavailable
    )
    return handlers
      .handle("enrol", ({ payload: { count, hours, label } }) =>
        Effect.zipRight(requires("admin"), Effect.catchAll(enrolments.create(count, label, hours), unavailable)))
      .handle("waiting", () =>
        Effect.catchAll(keys.waiting, unavailable))
      .handle("expected", () =>
        Effect.catchAll(expected.list, unavailable))
      .handle("reject", ({ path: { hostId }, payload: { publicKey } }) =>
        Effect.gen(function*() {
          yield* requires("admin")
          if (!(yield* Effect.catchAll(keys.reject(hostId, publicKey), unavailable))) {
            return yield* new HubNotFound({ message: `host ${hostId} does not wait with this key; see felhom waiting` })
          }
        }))
      .handle("retire", ({ path: { hostId }, payload: { retired } }) =>
        Effect.gen(function*() {
          const by = yield* requires("admin")
          const known = Option.isSome(yield* Effect.catchAll(hosts.get(hostId), unavailable)) ||
            (yield* Effect.catchAll(keys.standing(hostId), unavailable)).pinned !== null
          if (!known) {
            return yield* new HubNotFound({
              message: `no host ${hostId} has reported to this hub or was accepted by it`
            })
          }
          yield* Effect.catchAll(retired ? keys.retire(hostId, by) : keys.unretire(hostId), unavailable)
          yield* twins.forget(hostId)
        }))
      .handle("accept", ({ path: { hostId }, payload: { publicKey } }) =>
        Effect.gen(function*() {
          const by = yield* requires("admin")
          const { pinned } = yield* Effect.catchAll(keys.standing(hostId), unavailable)
          if (pinned === publicKey) {
            return
          }
          if (pinned !== null) {
            return yield* otherKey(hostId)
          }
          const asked = Option.isSome(yield* Effect.catchAll(keys.accepted(hostId, publicKey), unavailable))
          if (!asked) {
            const detail = yield* Effect.catchAll(hosts.get(hostId), unavailable)
            if (Option.isNone(detail) || !(yield* signedBy(hosts, hostId, publicKey))) {
              return yield* new HubNotFound({ message: `no host ${hostId} ever showed this key to this hub` })
            }
            const { agentVersion, node } = detail.value.summary.host
            yield* Effect.catchAll(keys.wait({ host: hostId, publicKey, node, agentVersion }), unavailable)
          }
          yield* Effect.catchAll(keys.accept(hostId, publicKey, by), unavailable)
          // Two admins may accept two keys at the same moment; the store takes one.
          const now = yield* Effect.catchAll(keys.standing(hostId), unavailable)
          if (now.pinned !== publicKey) {
            return yield* otherKey(hostId)
          }
        }))
      .handle("reset", ({ path: { hostId } }) =>
        Effect.gen(function*() {
          yield* requires("admin")
          yield* Effect.catchAll(alarms.clear(hostId), unavailable)
          yield* twins.forget(hostId)
        }))
      .handle("tokens", () => Effect.zipRight(requires("admin"), allTokens))
      .handle("revoke", ({ payload: { id } }) =>
        Effect.gen(function*() {
          yield* requires("admin")
          const live = (yield* allTokens).filter((token) => token.state === "live" && token.id.startsWith(id))
          const [found] = live
          if (found === undefined || live.length > 1) {
            return yield* new HubNotFound({
              message: found === undefined
                ? `no live token's id begins with ${JSON.stringify(id)}; see felhom tokens`
                : `${live.length} tokens' ids begin with ${JSON.stringify(id)}; give more of it`
            })
          }
          yield* found.role === "enrol"
            ? Effect.catchAll(enrolments.revoke(found.id), unavailable)
            : tokens.revoke(found.id).pipe(
              Effect.catchTags({
                TokenNotFound: ({ message }) => new HubNotFound({ message }),
                StoreError: unavailable
              })
            )
          return { ...found, state: "revoked" as const }
        }))
  })).pipe(Layer.provide(operatorLayer))
