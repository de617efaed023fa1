import type { HostId } from "@felhom/domain/HostId"
import type { HostPublicKey } from "@felhom/domain/HostKey"
import type { HostPrincipal } from "@felhom/domain/HubPrincipal"
import { HubForbidden, type HubUnavailable } from "@felhom/domain/HubRefusal"
import type { Ed25519 } from "@felhom/domain/port/Ed25519"
import { Clock, Context, Effect, Either, Layer, Option } from "effect"
import { type AlarmKind, AlarmStore } from "./AlarmStore.ts"
import { HostKeyStore } from "./HostKeyStore.ts"
import * as HostSignature from "./HostSignature.ts"
import type { ReceivedReport } from "./ReportBody.ts"
import { TokenStore } from "./TokenStore.ts"
import { TwinWatch } from "./TwinWatch.ts"
import { unavailable } from "./Unavailable.ts"

/**
 * Whether a report is its host's: sent with the host's own token, signed by its key if one is pinned, and by one agent only.
 * A signature that is there must be good, pinned key or not: what is stored as signed was verified.
 */
export class ReportAdmission extends Context.Tag("felhom/hub/ReportAdmission")<ReportAdmission, {
  /** `header` is what came as `Felhom-Signature`. Gives the armored signature, if the host signed. */
  readonly admit: (
    received: ReceivedReport,
    header: string | undefined,
    principal: typeof HostPrincipal.Service
  ) => Effect.Effect<Option.Option<string>, HubForbidden | HubUnavailable>
}>() {}

const forbidden = (message: string): HubForbidden => new HubForbidden({ message })

const make = Effect.gen(function*() {
  const tokens = yield* TokenStore
  const keys = yield* HostKeyStore
  const alarms = yield* AlarmStore
  const twins = yield* TwinWatch
  const signatures = yield* HostSignature.make

  /** The report's own token, bound to that host now if it was to none. */
  const bind = (hostId: HostId, { hostId: boundTo, tokenHash }: typeof HostPrincipal.Service) =>
    Effect.gen(function*() {
      const binding = boundTo === null
        ? yield* Effect.catchAll(tokens.bind(tokenHash, hostId), unavailable)
        : { hostId: boundTo }
      if ("takenBy" in binding) {
        return yield* forbidden(`host ${hostId} has another token already (${binding.takenBy}); revoke that one first`)
      }
      if (binding.hostId !== hostId) {
        return yield* forbidden(
          `this token belongs to host ${binding.hostId} and not to ${hostId}; each host needs its own`
        )
      }
    })

  const refused = (hostId: HostId, kind: AlarmKind, message: string) =>
    Effect.zipRight(Effect.catchAll(alarms.raise(hostId, kind, message), unavailable), Effect.fail(forbidden(message)))

  type Admitted = Effect.Effect<Option.Option<string>, HubForbidden | HubUnavailable>

  /** Goes on with the armored signature, if there is one, once it is known to be good or not needed. */
  const signed = (
    hostId: HostId,
    plain: Uint8Array,
    digest: string,
    header: string | undefined,
    pinned: HostPublicKey | null,
    next: (armored: Option.Option<string>) => Admitted
  ): Admitted => {
    if (header !== undefined) {
      return Effect.matchEffect(signatures.verify(plain, digest, header, pinned), {
        onSuccess: (armored) => next(Option.some(armored)),
        onFailure: (error) =>
          pinned === null
            ? Effect.fail(forbidden(`${error.message}; the report was not taken`))
            : refused(
              hostId,
              "forged",
              `its signature is not by this host's pinned key (${error.detail}): its token may be in other hands`
            )
      })
    }
    return pinned === null ? next(Option.none()) : refused(
      hostId,
      "unsigned",
      "it is not signed, and this host's key is pinned: its token may be in other hands, or its agent is older than the key"
    )
  }

  const unlessTwin = (
    received: ReceivedReport,
    digest: string,
    armored: Option.Option<string>,
    now: number
  ): Admitted => {
    const twin = twins.look(received.report, digest, now)
    return twin === undefined ? Effect.succeed(armored) : refused(received.report.host.id, "twins", twin)
  }

  // Every report comes through here: generators would be made anew for each, and stay slow.
  return ReportAdmission.of({
    admit: (received, header, principal) => {
      const { plain, report: { host: { id } } } = received
      const looked = Clock.clockWith((clock): Admitted => {
        const standing = keys.standing(id)
        if (Either.isLeft(standing)) return unavailable(standing.left)
        const { blocked, pinned } = standing.right
        const digest = HostSignature.digestOf(plain)
        return signed(
          id,
          plain,
          digest,
          header,
          pinned,
          (armored) =>
            blocked === null
              ? unlessTwin(received, digest, armored, clock.unsafeCurrentTimeMillis())
              : forbidden(blocked)
        )
      })
      return principal.hostId === id ? looked : Effect.zipRight(bind(id, principal), looked)
    }
  })
})

export const layer: Layer.Layer<
  ReportAdmission,
  never,
  TokenStore | HostKeyStore | AlarmStore | TwinWatch | Ed25519
> = Layer.effect(ReportAdmission, make).pipe(
  Layer.ensureRequirementsType<TokenStore | HostKeyStore | AlarmStore | TwinWatch | Ed25519>()
)
