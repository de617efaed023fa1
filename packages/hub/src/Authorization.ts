import { HostAuthorization, type HostPrincipal, OperatorAuthorization } from "@felhom/domain/HubPrincipal"
import { HubForbidden, HubUnauthorized, type HubUnavailable } from "@felhom/domain/HubRefusal"
import { Effect, Either, Layer, Option, type Redacted } from "effect"
import { type TokenRow, TokenStore } from "./TokenStore.ts"
import { unavailable } from "./Unavailable.ts"

type Find = (typeof TokenStore.Service)["find"]

/** The live token behind a Bearer. */
const authenticate = (
  find: Find,
  bearer: Redacted.Redacted
): Effect.Effect<TokenRow, HubUnauthorized | HubUnavailable> =>
  Effect.suspend((): Effect.Effect<TokenRow, HubUnauthorized | HubUnavailable> => {
    const found = find(bearer)
    if (Either.isLeft(found)) return unavailable(found.left)
    const row = found.right
    if (Option.isNone(row)) {
      return new HubUnauthorized({
        message: "no token that this hub knows came with the request (Authorization: Bearer felhom_…)"
      })
    }
    return row.value.revokedAt === null
      ? Effect.succeed(row.value)
      : new HubUnauthorized({ message: "this token was revoked; ask the hub's operator for a new one" })
  })

/** The host behind a Bearer, looked up as `find` does; other tokens don't report. */
export const hostPrincipal = (
  find: Find,
  bearer: Redacted.Redacted
): Effect.Effect<typeof HostPrincipal.Service, HubUnauthorized | HubForbidden | HubUnavailable> =>
  Effect.flatMap(authenticate(find, bearer), (row) =>
    row.role === "host"
      ? Effect.succeed({ tokenHash: row.hash, hostId: row.hostId })
      : Effect.fail(
        new HubForbidden({ message: `reports are for host tokens, and this one is for the role ${row.role}` })
      ))

export const hostLayer: Layer.Layer<HostAuthorization, never, TokenStore> = Layer.effect(
  HostAuthorization,
  Effect.map(TokenStore, ({ find }) => HostAuthorization.of({ host: (bearer) => hostPrincipal(find, bearer) }))
).pipe(Layer.ensureRequirementsType<TokenStore>())

export const operatorLayer: Layer.Layer<OperatorAuthorization, never, TokenStore> = Layer.effect(
  OperatorAuthorization,
  Effect.map(TokenStore, ({ find }) =>
    OperatorAuthorization.of({
      operator: (bearer) =>
        Effect.flatMap(authenticate(find, bearer), (row) =>
          row.role === "host"
            ? Effect.fail(new HubForbidden({ message: "a host's token reads nothing; make one with the role viewer" }))
            : Effect.succeed({ label: row.label, role: row.role }))
    }))
).pipe(Layer.ensureRequirementsType<TokenStore>())
