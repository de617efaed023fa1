import { HostPolicy } from "@felhom/authz/HostPolicy"
import type { DesiredPolicy } from "@felhom/domain/DesiredPolicy"
import type { DurableFile } from "@felhom/domain/port/DurableFile"
import type { DurableLogError } from "@felhom/durable/DurableLogError"
import { Hold } from "@felhom/durable/Hold"
import { readJournal } from "@felhom/durable/JournalReading"
import type { JournalState } from "@felhom/durable/JournalState"
import type { KeptDocumentError } from "@felhom/durable/KeptDocument"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import type { ProxmoxError } from "@felhom/proxmox/ProxmoxError"
import { DesiredStore, type HeldDesired } from "@felhom/reconciler/desired/DesiredStore"
import { withGolden } from "@felhom/reconciler/golden/GoldenPolicy"
import { GoldenStore } from "@felhom/reconciler/golden/GoldenStore"
import { judgePlan } from "@felhom/reconciler/plan/Gate"
import { lookAtHost, type SightError } from "@felhom/reconciler/plan/HostSight"
import { plan } from "@felhom/reconciler/plan/Planner"
import { withThinPools } from "@felhom/reconciler/plan/ThinPools"
import { Clock, Console, Effect, Option, Schema } from "effect"
import { planJson, planText, type PlanView } from "./PlanView.ts"

/** Root's policy is no policy that this version knows, so nothing is begun and nothing is shown. */
export class PolicyProblem extends Schema.TaggedError<PolicyProblem>()("PolicyProblem", { detail: Schema.String }) {
  override get message(): string {
    return `nothing is begun for a desired state while root's policy can't be taken: ${this.detail}`
  }
}

const viewOf = (
  { document, epoch, version }: HeldDesired,
  policy: DesiredPolicy,
  { makings, pursuit }: JournalState
): Effect.Effect<PlanView, ProxmoxError | SightError, ProxmoxClient | Hold> =>
  Effect.gen(function*() {
    const client = yield* ProxmoxClient
    const made = [...makings.values()].map(({ guest, identity, key }) => ({
      key,
      ref: guest,
      identity: identity ?? ""
    }))
    const host = yield* lookAtHost({ archives: Object.values(policy.images), made })
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
      counts: pursuit.counts,
      storages: yield* withThinPools(host.storages, { notes, steps })
    })
    return { node: client.node, desired: { epoch, version, expires }, now, judged, notes }
  })

type Trouble = ProxmoxError | SightError | KeptDocumentError | DurableLogError | PolicyProblem
type Needs = ProxmoxClient | DesiredStore | GoldenStore | Hold | HostPolicy | DurableFile

/**
 * Looks at the host and prints what would be done for the desired state that it holds, by root's policy and by what the journal in
 * the state folder says was done of late. Changes nothing.
 */
export const showPlan = (output: "text" | "json", stateDirectory: string): Effect.Effect<void, Trouble, Needs> =>
  Effect.gen(function*() {
    const held = yield* (yield* DesiredStore).current
    const { policy, problem } = yield* (yield* HostPolicy).current
    if (Option.isSome(problem)) return yield* new PolicyProblem({ detail: problem.value })
    const view = Option.isSome(held)
      ? yield* viewOf(
        held.value,
        withGolden(policy.desired, yield* (yield* GoldenStore).held),
        yield* readJournal(stateDirectory)
      )
      : {
        node: (yield* ProxmoxClient).node,
        desired: null,
        now: yield* Clock.currentTimeMillis,
        judged: [],
        notes: []
      }
    yield* Console.log(output === "json" ? planJson(view) : planText(view))
  })
