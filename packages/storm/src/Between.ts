import { Chance } from "./Chance.ts"
import type { Ledger } from "./Ledger.ts"
import type { Plan } from "./Plan.ts"
import { ruled } from "./RootFiles.ts"
import type { Stage } from "./Stage.ts"

/** Ops of earlier schedules that a hub may still come up with, and whose nonces may be used again. */
const mostRemembered = 12

/** Others than the home's own that a home has at most. */
const mostStrangers = 2

/** How often the home is as it was at the beginning, though no guest is missing: snapshots and backups are used up as well. */
const anyway = 0.2

/** Forgets all but the newest ops. One whose nonce a newer one has as well is not forgotten before that. */
const forget = (ledger: Ledger): void => {
  const ops = [...ledger.ops.values()]
  const kept = ops.slice(-mostRemembered)
  const nonces = new Set(kept.map(({ op }) => op.nonce))
  for (const { op, payload } of ops.slice(0, -mostRemembered)) if (!nonces.has(op.nonce)) ledger.ops.delete(payload)
  for (const payload of ledger.ends.keys()) if (!ledger.ops.has(payload)) ledger.ends.delete(payload)
  for (const payload of ledger.accepted) if (!ledger.ops.has(payload)) ledger.accepted.delete(payload)
  ledger.told.clear()
}

/** Puts the home back as it was at the beginning: whatever is under a number is another guest than before. */
const homeAgain = (stage: Stage, plan: Plan): void => {
  const { elapsed } = stage.timeline
  const { ledger } = stage
  const before = [...stage.machine.guests.keys()]
  stage.replaceMachine(plan.faults, plan.seed)
  for (const vmid of [...before, ...stage.machine.guests.keys()]) ledger.replacedAt.set(vmid, elapsed)
  // What was made once and is gone is not made again.
  for (const vmid of ledger.created) ledger.started.add(vmid)
  ledger.made.clear()
  ledger.note("the home is as it was at the beginning")
}

/** What another schedule may take away is there again, and the tasks of before are out of sight. */
const tidied = (stage: Stage, plan: Plan): void => {
  const { machine } = stage
  for (const storage of machine.storages.values()) {
    storage.avail = Math.max(storage.avail, storage.total - storage.used)
  }
  machine.tasks.expire(Math.floor(stage.timeline.hostTime / 1000))
  machine.faults.replace(plan.faults, plan.seed)
}

/** So many new guests a day are made for the hub, so that later wishes for one come to nothing. */
const mostCreated = 2

/** Whether another schedule means anything here: what never comes right again by itself would only be told once more each time. */
export const isFit = ({ hub, ledger, timeline }: Stage): boolean =>
  ledger.violation === undefined && ledger.created.length < mostCreated && timeline.furthest === 0 &&
  hub.trust !== undefined && (ledger.signed.signers?.revoked.size ?? 0) < 2

/** A schedule's beginning, where another one ended: root's files, the home and the hub are as at each beginning. */
export const begin = (stage: Stage, plan: Plan): void => {
  const { hub, ledger } = stage
  const chance = new Chance(plan.seed ^ 0xbe7)
  stage.anew(plan.seed, { outOfTurn: plan.outOfTurn, stepsInARow: plan.stepsInARow })
  forget(ledger)
  hub.anew((payload) => ledger.ops.has(payload))
  hub.interval = plan.interval
  if (ledger.heldSince !== undefined) stage.released()
  const { guests, world } = stage.machine
  const strangers = guests.size - world.guests.length
  const isWhole = world.guests.every(({ vmid }) => guests.has(vmid))
  if (!isWhole || strangers > mostStrangers || chance.is(anyway)) homeAgain(stage, plan)
  else tidied(stage, plan)
}

/** Whom root lets sign as a schedule begins. */
export const firstRules = (stage: Stage, plan: Plan): void =>
  ruled(stage, {
    allowed: new Set(["anna", "ben"]),
    revoked: new Set(),
    threshold: plan.seed % 3 === 0 ? 2 : 1
  })
