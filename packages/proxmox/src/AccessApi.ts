import type { TokenId } from "@felhom/domain/ProxmoxId"
import type { Effect } from "effect"
import { AclRow, RoleRow, TokenRecord } from "./AccessRows.ts"
import type { Caller } from "./Caller.ts"
import { decodeListing, decodeObject, type Listing } from "./Listing.ts"
import { Permissions } from "./NodeRows.ts"
import type { ProxmoxError } from "./ProxmoxError.ts"

/** Who may do what; all of it is only read. @see platform-facts 1.9 */
export interface AccessApi {
  /** What this token may do, on one path exactly or on all that Proxmox enumerates. @see platform-facts 3.3 */
  readonly permissions: (path?: string) => Effect.Effect<Permissions, ProxmoxError>
  /** Every role with its privileges; anybody who is logged in may read them. */
  readonly roles: Effect.Effect<Listing<RoleRow>, ProxmoxError>
  /** Only the entries on paths that this token may change, unless it has Sys.Audit on `/access`. */
  readonly acl: Effect.Effect<Listing<AclRow>, ProxmoxError>
  /**
   * This token's record. A token is not its user, so without User.Modify, which the agent has no use for, the answer is
   * `forbidden`.
   */
  readonly ownToken: Effect.Effect<TokenRecord, ProxmoxError>
}

const permissions = decodeObject(Permissions)
const roles = decodeListing(RoleRow)
const acl = decodeListing(AclRow)
const tokenRecord = decodeObject(TokenRecord)

export const makeAccessApi = ({ get }: Caller, tokenId: TokenId): AccessApi => {
  const [user = "", name = ""] = tokenId.split("!")
  return {
    permissions: (path) => get(["access", "permissions"], permissions, { path }),
    roles: get(["access", "roles"], roles),
    acl: get(["access", "acl"], acl),
    ownToken: get(["access", "users", user, "token", name], tokenRecord)
  }
}
