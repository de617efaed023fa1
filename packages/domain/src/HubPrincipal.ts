import { HttpApiMiddleware, HttpApiSecurity } from "@effect/platform"
import { Context, Schema } from "effect"
import type { HostId } from "./HostId.ts"
import { HubForbidden, HubUnauthorized, HubUnavailable } from "./HubRefusal.ts"

/** The token of a host: bound to one host id by its first report. */
export class HostPrincipal extends Context.Tag("felhom/domain/HostPrincipal")<HostPrincipal, {
  readonly tokenHash: string
  /** Null until the first report binds it. */
  readonly hostId: HostId | null
}>() {}

/** What a person's token allows; each role includes those before it. */
export const OperatorRole = Schema.Literal("viewer", "operator", "admin")
export type OperatorRole = typeof OperatorRole.Type

export class OperatorPrincipal extends Context.Tag("felhom/domain/OperatorPrincipal")<OperatorPrincipal, {
  readonly label: string
  readonly role: OperatorRole
}>() {}

export class HostAuthorization extends HttpApiMiddleware.Tag<HostAuthorization>()("felhom/domain/HostAuthorization", {
  failure: Schema.Union(HubUnauthorized, HubForbidden, HubUnavailable),
  provides: HostPrincipal,
  security: { host: HttpApiSecurity.bearer }
}) {}

export class OperatorAuthorization
  extends HttpApiMiddleware.Tag<OperatorAuthorization>()("felhom/domain/OperatorAuthorization", {
    failure: Schema.Union(HubUnauthorized, HubForbidden, HubUnavailable),
    provides: OperatorPrincipal,
    security: { operator: HttpApiSecurity.bearer }
  })
{}
