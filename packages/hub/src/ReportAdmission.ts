import type { HostId } from "@felhom/domain/HostId"
import { type HostPublicKey, hostPublicKeyBytes, reportNamespace } from "@felhom/domain/HostKey"
import { HostPrincipal } from "@felhom/domain/HubPrincipal"
import { HubForbidden, type HubUnavailable } from "@felhom/domain/HubRefusal"
import { Crypto } from "@felhom/domain/port/Crypto"
import { Ed25519 } from "@felhom/domain/port/Ed25519"
import { decodeCanonicalBase64, SshsigError, verifySshsig, writeArmor } from "@felhom/domain/Sshsig"
import { Context, Effect, Either, Layer, type Option } from "effect"
import { type AlarmKind, AlarmStore } from "./AlarmStore.ts"
import { HostKeyStore } from "./HostKeyStore.ts"
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
    header: string | undefined
  ) => Effect.Effect<Option.Option<string>, HubForbidden | HubUnavailable, HostPrincipal>
}>() {}

const forbidden = (message: string): HubForbidden => new HubForbidden({ message })

const make = Effect.gen(function*() {
  const tokens = yield* TokenStore
  const keys = yield* HostKeyStore
  const alarms = yield* AlarmStore
  const twins = yield* TwinWatch
  const crypto = yield* Crypto
  const curve = yield* Ed25519

  /** The report's own token, bound to that host now if it was to none. */
  const bound = (hostId: HostId) =>
    Effect.gen(function*() {
      const { hostId: boundTo, tokenHash } = yield* HostPrincipal
      if (boundTo === hostId) return
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

  const verified = (plain: Uint8Array, header: string, pinned: HostPublicKey | null) =>
    Effect.gen(function*() {
      const blob = yield* Either.mapLeft(
        decodeCanonicalBase64(header),
        (detail) => new SshsigError({ reason: "blob", detail })
      )
      yield* verifySshsig({
        blob,
        namespace: reportNamespace,
        message: plain,
        ...(pinned === null ? {} : { expected: hostPublicKeyBytes(pinned) })
      })
      return writeArmor(blob)
    }).pipe(Effect.provideService(Ed25519, curve))

  const signature = (hostId: HostId, plain: Uint8Array, header: string | undefined, pinned: HostPublicKey | null) => {
    if (header !== undefined) {
      return Effect.catchAll(Effect.asSome(verified(plain, header, pinned)), (error) =>
        pinned === null
          ? Effect.fail(forbidden(`${error.message}; the report was not taken`))
          : refused(
            hostId,
            "forged",
            `its signature is not by this host's pinned key (${error.detail}): its token may be in other hands`
          ))
    }
    return pinned === null ? Effect.succeedNone : refused(
      hostId,
      "unsigned",
      "it is not signed, and this host's key is pinned: its token may be in other hands, or its agent is older than the key"
    )
  }

  return ReportAdmission.of({
    admit: ({ plain, report }, header) =>
      Effect.gen(function*() {
        const { id } = report.host
        yield* bound(id)
        const { blocked, pinned } = yield* Effect.catchAll(keys.standing(id), unavailable)
        const armored = yield* signature(id, plain, header, pinned)
        if (blocked !== null) return yield* forbidden(blocked)
        const twin = yield* twins.look(report, yield* crypto.sha256(plain))
        return twin === undefined ? armored : yield* refused(id, "twins", twin)
      })
  })
})

export const layer: Layer.Layer<
  ReportAdmission,
  never,
  TokenStore | HostKeyStore | AlarmStore | TwinWatch | Crypto | Ed25519
> = Layer.effect(ReportAdmission, make).pipe(
  Layer.ensureRequirementsType<TokenStore | HostKeyStore | AlarmStore | TwinWatch | Crypto | Ed25519>()
)
