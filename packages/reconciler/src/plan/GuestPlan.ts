import type { DesiredGuest } from "@felhom/domain/DesiredGuest"
import type { Correction, DriftKind } from "@felhom/domain/DesiredPolicy"
import { formatGuestRef, type GuestRef, type NodeName, type Volid } from "@felhom/domain/ProxmoxId"
import type { Finding, GrowFinding, ImpossibleFinding, KeyFinding, PendingFinding } from "./Finding.ts"
import { rawText } from "./Finding.ts"
import type { ObservedGuest } from "./ObservedHost.ts"
import { guestOpLine } from "./OpLine.ts"
import type { Action, BenignStep, ImpossibleStep, PlanNote, PlanStep, Precondition, StepGuest } from "./PlanStep.ts"
import { powerWish } from "./PowerWish.ts"
import { settingFindings } from "./Settings.ts"

/** What every guest's part of a plan is made with. */
export interface Around {
  readonly node: NodeName
  readonly correction: { readonly [kind in DriftKind]: Correction }
  readonly sharedNames: ReadonlySet<string>
  /** Archives that are on the host, with their sizes in bytes. */
  readonly images: ReadonlyMap<Volid, number | null>
}

/** One guest's part of a plan. */
export interface GuestPlan {
  readonly steps: ReadonlyArray<PlanStep>
  readonly notes: ReadonlyArray<PlanNote>
}

export const stepGuestOf = ({ identity, name, ref }: ObservedGuest): StepGuest => ({
  type: ref.type,
  ref,
  identity,
  name
})

/** What root works on it with, on the host. */
const toolOf = ({ type }: GuestRef): "pct" | "qm" => (type === "lxc" ? "pct" : "qm")

/** Half-made and half-destroyed guests; all other locks pass (platform-facts 5.8). */
const halfDone: ReadonlySet<string> = new Set(["create", "destroyed"])

const impossibleStep = (
  guest: StepGuest,
  at: string,
  { drift, new: wished, old, reason, what }: Omit<ImpossibleFinding, "found">
): ImpossibleStep => ({ class: "not-possible", id: `${at} ${what}`, guest, drift, what, reason, old, new: wished })

/** A wish of which nothing can be done, for one reason. */
export const impossibleGuest = (guest: StepGuest, at: string, why: string): PlanStep => ({
  ...impossibleStep(guest, at, { drift: "guests", what: "guest", reason: why, old: null, new: null }),
  what: null
})

interface Making {
  readonly guest: StepGuest
  readonly at: string
  readonly digest: string | null
  readonly waitsFor: string | null
  readonly after: ReadonlyArray<string>
}

const made = (
  { after, at, digest, guest, waitsFor }: Making,
  action: Action,
  subject: string,
  { drift, new: wished, old, reason }: Pick<BenignStep, "drift" | "new" | "old" | "reason">,
  precondition: Omit<Precondition, "digest"> = {}
): BenignStep => ({
  class: "benign",
  id: `${at} ${action.kind}${subject}`,
  guest,
  drift,
  reason,
  old,
  new: wished,
  action,
  effect: "now",
  precondition: { digest, ...precondition },
  after,
  waitsFor,
  op: null
})

const keyStep = (making: Making, finding: KeyFinding, shutdown: ReadonlyArray<string>): BenignStep => {
  const { before, effect, key, memoryBelow, onlyStopped, text } = finding
  const action: Action = text === null ? { kind: "config.clear", key } : { kind: "config.set", key, text }
  return {
    ...made(making, action, ` ${key}`, finding, {
      before: { key, text: before },
      ...(onlyStopped === undefined ? {} : { status: "stopped" }),
      ...(memoryBelow === undefined ? {} : { memoryBelow })
    }),
    after: onlyStopped === undefined ? [] : shutdown,
    effect
  }
}

const growStep = (making: Making, finding: GrowFinding, before: string | null): BenignStep => {
  const { by, bytes, storage, volume } = finding
  return made(making, { kind: "volume.grow", volume, storage, bytes, by }, ` ${volume}`, finding, {
    before: { key: volume, text: before }
  })
}

const findingStep = (
  making: Making,
  guest: ObservedGuest,
  finding: Exclude<Finding, PendingFinding>,
  shutdown: ReadonlyArray<string>
): PlanStep => {
  switch (finding.found) {
    case "key":
      return keyStep(making, finding, shutdown)
    case "grow":
      return growStep(making, finding, rawText(guest.merged[finding.volume]))
    case "impossible":
      return impossibleStep(making.guest, making.at, finding)
  }
}

const powerWords = {
  start: { old: "stopped", new: "running", reason: "it is stopped and should run" },
  shutdown: {
    old: "running",
    new: "stopped",
    reason: "it runs and should be stopped: it is asked to shut down, no more"
  }
} as const

const shutdownStep = (making: Making, node: NodeName, ref: GuestRef): BenignStep => ({
  ...made(making, { kind: "guest.shutdown" }, "", { drift: "power", ...powerWords.shutdown }, { status: "running" }),
  op: guestOpLine("guest.stop_hard", node, ref)
})

/** After all that is changed, so that what was pending holds, too. */
const startStep = (making: Making, changes: ReadonlyArray<PlanStep>): BenignStep =>
  made(
    { ...making, after: changes.flatMap((step) => step.class === "benign" ? [step.id] : []) },
    { kind: "guest.start" },
    "",
    { drift: "power", ...powerWords.start },
    { status: "stopped" }
  )

const halfDoneStep = (guest: StepGuest, at: string, ref: GuestRef, lock: string): PlanStep => {
  const tool = toolOf(ref)
  return impossibleGuest(
    guest,
    at,
    `Proxmox VE holds it locked (${lock}): it was made or restored by half, or is being destroyed; look at its tasks, and if ` +
      `none of them runs any more, root removes it (${tool} destroy ${ref.vmid}), or lets it go where it is whole ` +
      `(${tool} unlock ${ref.vmid})`
  )
}

/** A lock whose work was killed stays for ever, and only root can tell the one from the other (platform-facts 5.8). */
const lockedWords = (ref: GuestRef, lock: string): string =>
  `Proxmox VE holds it locked (${lock}) until that is over; if none of its tasks runs any more, root lets it go: ` +
  `${toolOf(ref)} unlock ${ref.vmid}`

/** Everything in which one guest is not what is wished for it. */
export const planGuest = (desired: DesiredGuest, observed: ObservedGuest, around: Around): GuestPlan => {
  const { lock, ref, status } = observed
  const guest = stepGuestOf(observed)
  const at = formatGuestRef(ref)
  if (lock !== null && halfDone.has(lock)) return { steps: [halfDoneStep(guest, at, ref, lock)], notes: [] }
  const making: Making = {
    guest,
    at,
    digest: rawText(observed.merged["digest"]),
    waitsFor: lock === null ? null : lockedWords(ref, lock),
    after: []
  }
  const wish = powerWish(around.correction.power === "never" ? {} : desired, observed)
  const shutdown = wish.power === "shutdown" ? [shutdownStep(making, around.node, ref)] : []
  const findings = settingFindings(desired, {
    guest: observed,
    // Where it is only reported the guest runs on, and what it uses counts.
    stops: shutdown.length > 0 && around.correction.power === "fix",
    sharedNames: around.sharedNames
  })
  const settings = findings.flatMap((finding) =>
    finding.found === "pending" || around.correction[finding.drift] === "never"
      ? []
      : [findingStep(making, observed, finding, shutdown.map(({ id }) => id))]
  )
  const start = wish.power === "start" ? [startStep(making, settings)] : []
  const blocked = wish.power === "blocked"
    ? [impossibleStep(guest, at, {
      drift: "power",
      what: "power",
      reason: wish.why,
      old: status,
      new: desired.power ?? null
    })]
    : []
  return {
    steps: [...shutdown, ...settings, ...blocked, ...start],
    notes: findings.flatMap((finding) => finding.found === "pending" ? [{ guest, text: finding.text }] : [])
  }
}
