import type { GuestConfig } from "@felhom/domain/GuestConfig"
import type { GuestRef } from "@felhom/domain/ProxmoxId"
import type { TaskOutcome } from "@felhom/domain/TaskOutcome"
import type { Upid } from "@felhom/domain/Upid"
import type { DurableLogError } from "@felhom/durable/DurableLogError"
import type { OpOutOfOrder } from "@felhom/durable/JournalError"
import type { Making } from "@felhom/durable/MakingState"
import { OpJournal } from "@felhom/durable/OpJournal"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import type { ProxmoxError } from "@felhom/proxmox/ProxmoxError"
import { TaskWaiter } from "@felhom/proxmox/TaskWaiter"
import { Effect } from "effect"
import { rawText } from "../plan/Finding.ts"
import { spokenRef } from "../plan/ObservedHost.ts"
import { guestOpLine, volumeOpLine } from "../plan/OpLine.ts"
import { firstStart, restAgain } from "./FirstStart.ts"
import { machineTrouble } from "./MachineStanding.ts"
import { sinceMaking } from "./MakeCall.ts"
import { type MakeEnd, type Over, over } from "./MakeEnd.ts"
import type { MakeOrder } from "./MakeOrder.ts"
import { configOf, identityOf, removeHalfMade } from "./Removal.ts"
import { emptyTrouble, standingTrouble } from "./Standing.ts"
import { leftoversOf } from "./VmidChoice.ts"

/** A guest whose task is known, and what it is held against. */
export interface Made {
  readonly key: string
  readonly ref: GuestRef
  readonly upid: Upid
  /** Undefined: what was wished for it is not known any more, and the next plan corrects what differs. */
  readonly order: MakeOrder | undefined
  /** It is left running. */
  readonly start: boolean
  /** What of its image could not be looked at, and was let pass; undefined: nothing. */
  readonly note: string | undefined
}

type Needs = ProxmoxClient | TaskWaiter | OpJournal
type Trouble = Over | ProxmoxError | DurableLogError | OpOutOfOrder

/** Somebody's work on it passes; what its making left locked does not. */
const lookEvery = "10 seconds"
const looksAtMost = 60

const readable = (ref: GuestRef): Effect.Effect<GuestConfig | undefined, ProxmoxError | Over, ProxmoxClient> =>
  Effect.gen(function*() {
    for (let looks = 1;; looks += 1) {
      const config = yield* configOf(ref)
      const lock = config === undefined ? null : rawText(config["lock"])
      if (lock === null || lock === "create") return config
      if (looks === looksAtMost) return yield* over("unknown", `${spokenRef(ref)} stays locked (${lock})`, { ref })
      yield* Effect.sleep(lookEvery)
    }
  })

const destroyLine = (ref: GuestRef) =>
  Effect.map(ProxmoxClient, ({ node }) => `if it is not to stay: ${guestOpLine("guest.destroy", node, ref)}`)

const madeByHalf = (ref: GuestRef): string => {
  const tool = ref.type === "lxc" ? "pct" : "qm"
  return `${
    spokenRef(ref)
  } was made by half and is locked (create), which no token can clear; root does on the host: ` +
    `${tool} unlock ${ref.vmid} && ${tool} destroy ${ref.vmid}`
}

/**
 * Volumes that its number has left, in words. A machine's restore that was cut names none of those that it had made, so that they
 * don't go with it.
 */
const leftBehind = (ref: GuestRef): Effect.Effect<string, never, ProxmoxClient> =>
  Effect.gen(function*() {
    const { node } = yield* ProxmoxClient
    const left = ref.type === "lxc" ? [] : yield* leftoversOf(ref)
    return left.map(({ size, volid }) =>
      `; ${volid} of it stayed behind: ${volumeOpLine(node, { volid, size: size ?? 0 })}`
    ).join("")
  }).pipe(Effect.catchAll(({ message }) => Effect.succeed(`; what of it stayed behind can't be listed: ${message}`)))

/** It stands, and is not what was asked for: it goes again, where that is the agent's to do. */
const dropped = ({ key, ref, upid }: Made, trouble: string): Effect.Effect<never, Over, Needs> =>
  Effect.matchEffect(removeHalfMade(key, ref, upid), {
    onSuccess: () =>
      Effect.flatMap(
        leftBehind(ref),
        (left) => over("failed", `${trouble}; it was never started, and is removed again${left}`, { upid })
      ),
    onFailure: ({ why }) =>
      Effect.flatMap(
        destroyLine(ref),
        (line) => over("failed", `${trouble}; ${spokenRef(ref)} is left as it is: ${why}; ${line}`, { upid, ref })
      )
  })

/** Why it can't be protected; undefined when it is. */
const protect = (ref: GuestRef): Effect.Effect<string | undefined, never, ProxmoxClient | TaskWaiter> =>
  Effect.gen(function*() {
    const client = yield* ProxmoxClient
    const waiter = yield* TaskWaiter
    const outcome = yield* Effect.flatMap(client.setConfig(ref, { set: { protection: true } }), waiter.settle)
    return outcome._tag === "failed" ? outcome.exitStatus : outcome._tag === "unknown" ? outcome.reason : undefined
  }).pipe(Effect.catchAll(({ message }) => Effect.succeed(message)))

/** Starts it, which is the proof, and leaves it as it is to be. */
const started = (made: Made, said: string): Effect.Effect<MakeEnd, Trouble, Needs> =>
  Effect.gen(function*() {
    const { key, note, order, ref, start, upid } = made
    const { desired } = yield* OpJournal
    const first = yield* firstStart(ref)
    if (first.start !== "runs") {
      const line = yield* destroyLine(ref)
      const what = first.start === "failed" ? "does not start" : "may have started, which nobody can tell"
      const end = first.start === "failed" ? "failed" : "unknown"
      return yield* over(end, `${spokenRef(ref)} stands and ${what}: ${first.why}; ${line}`, { upid, ref })
    }
    yield* desired.proven(key)
    const unprotected = order?.protect === true ? yield* protect(ref) : undefined
    const restless = start ? undefined : yield* restAgain(ref)
    const detail = [
      `made as ${spokenRef(ref)} and seen running${said}`,
      ...(note === undefined ? [] : [note]),
      ...(unprotected === undefined ? [] : [`it could not be protected: ${unprotected}`]),
      ...(restless === undefined ? [] : [`it was asked to shut down again and runs on: ${restless}`])
    ].join("; ")
    return { end: "finished", detail, upid, ref }
  })

const troubleOf = ({ order, ref }: Made, config: GuestConfig): string | undefined =>
  ref.type === "lxc"
    ? standingTrouble(config, order?.type === "lxc" ? order : undefined)
    : machineTrouble(ref, config, order?.type === "qemu" ? order : undefined)

const proved = (made: Made, config: GuestConfig, said: string): Effect.Effect<MakeEnd, Trouble, Needs> =>
  Effect.gen(function*() {
    const trouble = troubleOf(made, config) ?? (yield* emptyTrouble(made.ref, config))
    if (trouble !== undefined) return yield* dropped(made, trouble)
    yield* (yield* OpJournal).desired.starting(made.key)
    return yield* started(made, said)
  })

const warnings = (outcome: TaskOutcome): string =>
  outcome._tag === "warnings"
    ? `, with warnings: ${outcome.logTail.filter((line) => line.startsWith("WARN")).join("; ")}`
    : ""

const wordsOf = (outcome: TaskOutcome): string => {
  switch (outcome._tag) {
    case "failed":
      return outcome.exitStatus
    case "unknown":
      return `nobody can tell how its task ended (${outcome.reason})`
    case "ok":
    case "warnings":
      return "its task ended well"
  }
}

/** Its task is over: whatever that says, the guest is looked at itself. */
export const settled = (made: Made, outcome: TaskOutcome): Effect.Effect<MakeEnd, Trouble, Needs> =>
  Effect.gen(function*() {
    const { key, ref, upid } = made
    const { desired } = yield* OpJournal
    const config = yield* readable(ref)
    const { remade } = yield* sinceMaking(ref, upid)
    if (remade) {
      // Whoever did that did not want it, so its key stays taken.
      const why = `somebody has removed ${spokenRef(ref)} since, or put another guest in its place; it is left alone`
      return yield* over("failed", `${wordsOf(outcome)}; ${why}`, { upid })
    }
    if (config === undefined) {
      yield* desired.forgotten(key)
      return yield* over("failed", `${wordsOf(outcome)}, and there is no guest of it`, { upid })
    }
    if (rawText(config["lock"]) !== null) {
      return yield* over("unknown", `${wordsOf(outcome)}; ${madeByHalf(ref)}`, { upid, ref })
    }
    // A machine whose restore failed is left without disks and without a lock, by Proxmox itself (qemu-server, create_vm).
    if (
      outcome._tag === "failed" && ref.type === "qemu" && machineTrouble(ref, config, undefined) === "it has no disk"
    ) {
      yield* desired.stands(key, identityOf(ref, config))
      return yield* dropped(made, outcome.exitStatus)
    }
    if (outcome._tag === "failed") {
      const line = yield* destroyLine(ref)
      return yield* over("unknown", `${outcome.exitStatus}, and yet ${spokenRef(ref)} is there; ${line}`, { upid, ref })
    }
    yield* desired.stands(key, identityOf(ref, config))
    return yield* proved(made, config, outcome._tag === "unknown" ? `; ${wordsOf(outcome)}` : warnings(outcome))
  })

/** One that stood already before the agent stopped. */
export const standing = (made: Made, held: Making): Effect.Effect<MakeEnd, Trouble, Needs> =>
  Effect.gen(function*() {
    const { key, ref, upid } = made
    const config = yield* readable(ref)
    if (held.removing) {
      if (config !== undefined) {
        const why = `${spokenRef(ref)} was being removed when the agent stopped, so what is there may not be ours`
        return yield* over("unknown", `${why}; ${yield* destroyLine(ref)}`, { upid, ref })
      }
      yield* (yield* OpJournal).desired.forgotten(key)
      return yield* over("failed", "it was made by half, and is removed again", { upid })
    }
    if (config === undefined || identityOf(ref, config) !== held.identity) {
      const what = config === undefined ? "is not there any more" : "is another guest now"
      return yield* over("failed", `${spokenRef(ref)} ${what}; somebody has changed it since it was made`, { upid })
    }
    if (held.stage === "proven") {
      return { end: "finished", detail: `it was made before, as ${spokenRef(ref)}`, upid, ref }
    }
    return yield* held.stage === "starting" ? started(made, "") : proved(made, config, "")
  })
