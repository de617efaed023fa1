import { type DesiredPolicy, usualDesiredPolicy } from "@felhom/domain/DesiredPolicy"
import { Hold } from "@felhom/durable/Hold"
import type { KeptDocumentError } from "@felhom/durable/KeptDocument"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import type { ProxmoxError } from "@felhom/proxmox/ProxmoxError"
import { DesiredStore, type HeldDesired } from "@felhom/reconciler/desired/DesiredStore"
import { nothingDone } from "@felhom/reconciler/plan/Counts"
import { judgePlan } from "@felhom/reconciler/plan/Gate"
import { lookAtHost, type SightError } from "@felhom/reconciler/plan/HostSight"
import { plan } from "@felhom/reconciler/plan/Planner"
import { Clock, Console, Effect, Option } from "effect"
import { planJson, planText, type PlanView } from "./PlanView.ts"

const viewOf = (
  { document, epoch, version }: HeldDesired,
  policy: DesiredPolicy
): Effect.Effect<PlanView, ProxmoxError | SightError, ProxmoxClient | Hold> =>
  Effect.gen(function*() {
    const client = yield* ProxmoxClient
    const host = yield* lookAtHost({ archives: Object.values(policy.images), made: [] })
    const hold = yield* (yield* Hold).current
    const now = yield* Clock.currentTimeMillis
    // Of another store of the hub, none of it is begun, whatever its own time.
    const expires = version === 0 || document === null ? 0 : document.expires
    const { notes, steps } = plan(document?.state ?? { guests: [] }, host, policy)
    const judged = judgePlan({ notes, steps }, {
      policy,
      now,
      hold: Option.getOrNull(hold),
      expires,
      counts: nothingDone,
      storages: host.storages
    })
    return { node: client.node, desired: { epoch, version, expires }, now, judged, notes }
  })

/** Looks at the host and prints what would be done for the desired state that it holds. Changes nothing. */
export const showPlan = (
  output: "text" | "json"
): Effect.Effect<void, ProxmoxError | SightError | KeptDocumentError, ProxmoxClient | DesiredStore | Hold> =>
  Effect.gen(function*() {
    const held = yield* (yield* DesiredStore).current
    const view = Option.isSome(held)
      ? yield* viewOf(held.value, usualDesiredPolicy)
      : {
        node: (yield* ProxmoxClient).node,
        desired: null,
        now: yield* Clock.currentTimeMillis,
        judged: [],
        notes: []
      }
    yield* Console.log(output === "json" ? planJson(view) : planText(view))
  })
