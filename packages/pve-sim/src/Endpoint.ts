import type { Effect } from "effect"
import type { Identity } from "./AccessControl.ts"
import { type ApiFailure, forbidden } from "./ApiFailure.ts"
import type { Machine } from "./Machine.ts"
import type { Checked, Schema } from "./ParameterSchema.ts"

/** JSON as the API gives it; undefined members are left out. */
export type Json =
  | string
  | number
  | boolean
  | null
  | undefined
  | ReadonlyArray<Json>
  | { readonly [key: string]: Json }

/** What a handler gives: the value of `data`, and `total` where lists have one (platform-facts 1.0). */
export interface Answer {
  readonly data: Json
  readonly total?: number
  /** A file instead of JSON: its text, and the name under which a browser would save it. */
  readonly download?: { readonly name: string; readonly text: string }
}

/** One call that passed authentication, routing, permission and parameter check. */
export interface Call {
  readonly machine: Machine
  readonly identity: Identity
  /** Path, query and body together. */
  readonly parameters: Checked
}

/**
 * Who may call. Checked before the parameters are, on the path as it was written (platform-facts 1.0).
 * - `any`: whoever is authenticated; the handler filters.
 * - `on`: all privileges, or one of them with `any: true`, on a path with `{parameter}`s.
 * - `either`: one of several; then Proxmox does not say which one was missing.
 * - `both`: all of them; the first that is not held is the one that Proxmox names.
 * - `self`: the path's `userid` is the caller itself.
 * - `by`: a rule of its own.
 * - `root`: the user root@pam with a ticket; no token is that (platform-facts 3.1).
 * - `ticket`: anybody who comes with a ticket, and no token.
 */
export type Permission =
  | { readonly kind: "any" }
  | { readonly kind: "on"; readonly path: string; readonly privileges: ReadonlyArray<string>; readonly any?: boolean }
  | { readonly kind: "either"; readonly of: ReadonlyArray<Permission> }
  | { readonly kind: "both"; readonly of: ReadonlyArray<Permission> }
  | { readonly kind: "self" }
  | {
    readonly kind: "by"
    readonly refusal: (
      machine: Machine,
      identity: Identity,
      raw: (name: string) => string
    ) => ApiFailure | undefined
  }
  | { readonly kind: "root" }
  | { readonly kind: "ticket" }

export const anyone: Permission = { kind: "any" }
export const all = (path: string, ...privileges: ReadonlyArray<string>): Permission => ({
  kind: "on",
  path,
  privileges
})
export const anyOf = (path: string, ...privileges: ReadonlyArray<string>): Permission => ({
  kind: "on",
  path,
  privileges,
  any: true
})

export const either = (...of: ReadonlyArray<Permission>): Permission => ({ kind: "either", of })
export const both = (...of: ReadonlyArray<Permission>): Permission => ({ kind: "both", of })
export const rootOnly: Permission = { kind: "root" }
export const ticketOnly: Permission = { kind: "ticket" }

/** One row of the endpoint table. */
export interface Endpoint {
  readonly method: "GET" | "POST" | "PUT" | "DELETE"
  /** `/nodes/{node}/lxc/{vmid}`; a last `{name*}` takes the rest of the path, slashes included. */
  readonly path: string
  readonly permission: Permission
  /** Runs in pvedaemon, as root (platform-facts 1, column prot); otherwise in pveproxy itself. */
  readonly protected: boolean
  readonly parameters: Schema
  /** The schema is not all that Proxmox takes here: what it does not name is let pass. */
  readonly open?: true
  readonly handle: (call: Call) => Effect.Effect<Answer, ApiFailure>
}

/** Undefined when allowed; otherwise the 403. `raw` gives the unchecked value of a path parameter, and of `""` the path itself. */
export const refusal = (
  permission: Permission,
  machine: Machine,
  identity: Identity,
  raw: (name: string) => string
): ApiFailure | undefined => {
  switch (permission.kind) {
    case "any":
      return undefined
    case "self":
      return raw("userid") === identity.id ? undefined : forbidden()
    case "by":
      return permission.refusal(machine, identity, raw)
    case "both":
      return permission.of.map((one) => refusal(one, machine, identity, raw)).find((refused) => refused !== undefined)
    case "root":
      return forbidden("user != root@pam")
    case "ticket":
      return forbidden(`URI '${raw("")}' not available with API token, need proper ticket.`)
    case "either":
      return permission.of.some((one) => refusal(one, machine, identity, raw) === undefined) ? undefined : forbidden()
    case "on": {
      const path = permission.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => raw(name))
      return missing(machine, identity, path, permission.privileges, permission.any)
    }
  }
}

/** The 403 for privileges that are not held on a path, in Proxmox's words; undefined when they are. */
export const missing = (
  machine: Machine,
  identity: Identity,
  path: string,
  privileges: ReadonlyArray<string>,
  any = false
): ApiFailure | undefined => {
  const held = machine.access.privileges(identity.id, path)
  if (any) {
    return privileges.some((name) => held.has(name)) ? undefined : forbidden(`${path}, ${privileges.join("|")}`)
  }
  const first = privileges.find((name) => !held.has(name))
  return first === undefined ? undefined : forbidden(`${path}, ${first}`)
}

export const may = (call: Call, path: string, ...privileges: ReadonlyArray<string>): boolean =>
  missing(call.machine, call.identity, path, privileges) === undefined
