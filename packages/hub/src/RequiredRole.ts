import { OperatorPrincipal, type OperatorRole } from "@felhom/domain/HubPrincipal"
import { HubForbidden } from "@felhom/domain/HubRefusal"
import { Effect } from "effect"

const ranks: { readonly [role in OperatorRole]: number } = { viewer: 0, operator: 1, admin: 2 }

/** Whose request it is, if their role is this one or includes it. */
export const requires = (role: OperatorRole): Effect.Effect<string, HubForbidden, OperatorPrincipal> =>
  Effect.flatMap(
    OperatorPrincipal,
    (principal) =>
      ranks[principal.role] >= ranks[role] ? Effect.succeed(principal.label) : Effect.fail(
        new HubForbidden({
          message:
            `this takes the role ${role}, and your token has the role ${principal.role}; ask an admin, or on the ` +
            `hub's own machine: hub token create --role ${role}`
        })
      )
  )
