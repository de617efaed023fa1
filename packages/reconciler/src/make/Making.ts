import type { DesiredPolicy } from "@felhom/domain/DesiredPolicy"
import type { GuestRef, Volid } from "@felhom/domain/ProxmoxId"
import { EpochMillis } from "@felhom/domain/Time"
import type { Upid } from "@felhom/domain/Upid"
import type { DurableLogError } from "@felhom/durable/DurableLogError"
import type { OpOutOfOrder } from "@felhom/durable/JournalError"
import type { Making } from "@felhom/durable/MakingState"
import { OpJournal } from "@felhom/durable/OpJournal"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import type { ProxmoxError } from "@felhom/proxmox/ProxmoxError"
import type { ForeignTask } from "@felhom/proxmox/TaskError"
import { TaskWaiter } from "@felhom/proxmox/TaskWaiter"
import { Clock, Effect } from "effect"
import type { CheckDepth } from "../golden/GoldenImages.ts"
import type { GoldenRefused } from "../golden/GoldenRefused.ts"
import { callMaking, intendedMaking, makingTask } from "./MakeCall.ts"
import { type MakeEnd, type Over, over } from "./MakeEnd.ts"
import { type MakeOrder, type MakeStep, orderFor, roomFor } from "./MakeOrder.ts"
import { patiently } from "./Patience.ts"
import { type Made, settled, standing } from "./Proving.ts"
import { chooseVmid } from "./VmidChoice.ts"

/** How a guest is made. */
export interface MakeOptions {
  readonly policy: DesiredPolicy
  /** It is left running. It is started in any case, which is the proof; otherwise it is asked to shut down again. */
  readonly start: boolean
  /** Whether its image is what it has to be (`GoldenImages.check`); answers with what could not be looked at. */
  readonly image: (
    archive: Volid,
    depth: CheckDepth
  ) => Effect.Effect<string | undefined, GoldenRefused | ProxmoxError, ProxmoxClient>
}

type Needs = ProxmoxClient | TaskWaiter | OpJournal
type Trouble = Over | ProxmoxError | DurableLogError | OpOutOfOrder | ForeignTask

/** A call that was given up may still be on its way. */
const secondLook = "30 seconds"

/** Numbers that somebody else takes between the look and the call. */
const choicesAtMost = 5

const notBegun = (why: string) => over("failed", `it was not begun: ${why}`)

/** The journal's record of the key; its task is found by it after a crash. */
const recordOf = (key: string) =>
  Effect.map(
    Effect.flatMap(OpJournal, ({ desired }) => desired.guests),
    (guests) => guests.find((one) => one.key === key)
  )

/** The UPID is on the disk before it is waited for. */
const followed = (made: Made): Effect.Effect<MakeEnd, Trouble, Needs> =>
  Effect.gen(function*() {
    yield* (yield* OpJournal).desired.called(made.key, made.upid)
    return yield* awaited(made)
  })

const awaited = (made: Made): Effect.Effect<MakeEnd, Trouble, Needs> =>
  Effect.gen(function*() {
    const outcome = yield* (yield* TaskWaiter).wait(made.upid)
    return yield* settled(made, outcome)
  })

/** The task of a call of which no answer is known; undefined where it was not begun. */
const foundTask = (call: Pick<Making, "at" | "call" | "guest">) =>
  Effect.gen(function*() {
    const found = yield* patiently(makingTask(call))
    if (found !== undefined) return found
    yield* Effect.sleep(secondLook)
    return yield* patiently(makingTask(call))
  })

/** What a call came to. A number that is taken is somebody's, who is left alone. */
type Called = { readonly upid: Upid } | "taken" | "not begun"

const call = (
  order: MakeOrder,
  making: Pick<Making, "at" | "call" | "guest">,
  before: EpochMillis | undefined
): Effect.Effect<Called, ProxmoxError, Needs> =>
  callMaking(order, making.guest.vmid).pipe(
    Effect.map((upid): Called => ({ upid })),
    Effect.catchIf(({ reason }) => reason === "already-exists", () =>
      before === undefined
        ? Effect.succeed<Called>("taken")
        // A call of before a crash may have come through at last.
        : Effect.map(
          patiently(makingTask({ ...making, at: before })),
          (upid): Called => (upid === undefined ? "taken" : { upid })
        )),
    Effect.catchIf(
      ({ reason }) => reason === "outcome-unknown",
      () => Effect.map(foundTask(making), (upid): Called => (upid === undefined ? "not begun" : { upid }))
    )
  )

const numbered = ({ action, guest: { type } }: MakeStep, { policy }: MakeOptions, taken: ReadonlySet<number>) =>
  chooseVmid(action, type, policy, taken).pipe(
    Effect.mapError(({ message }) => notBegun(message)),
    Effect.filterOrFail(
      (vmid) => vmid !== undefined,
      () => notBegun("every number that looks free belongs to a guest that the token can't see; let it see all guests")
    )
  )

/** What is to be made, with what of its image could not be looked at. All of it is read before a number is chosen. */
const looked = (step: MakeStep, { image, policy }: Omit<MakeOptions, "start">, depth: CheckDepth) =>
  Effect.gen(function*() {
    const order = yield* Effect.tap(orderFor(step, policy), roomFor)
    return { order, note: yield* image(step.action.archive, depth) }
  }).pipe(Effect.mapError((error) => (error._tag === "NotNow" ? error.why : error.message)))

/**
 * The number is on the disk before the call; after one that is surely not begun, nothing of it is. `before`: when a number was
 * chosen for it that nothing seems to have come of.
 */
const begun = (step: MakeStep, options: MakeOptions, before?: EpochMillis): Effect.Effect<MakeEnd, Trouble, Needs> =>
  Effect.gen(function*() {
    const { key } = step.action
    const client = yield* ProxmoxClient
    const { desired } = yield* OpJournal
    const { note, order } = yield* Effect.mapError(looked(step, options, "read"), notBegun)
    const taken = new Set((yield* desired.guests).map(({ guest }) => Number(guest.vmid)))
    for (let choices = 0; choices < choicesAtMost; choices += 1) {
      const ref: GuestRef = { type: step.guest.type, vmid: yield* numbered(step, options, taken) }
      const intended = intendedMaking(order, ref.vmid, client.node)
      const at = EpochMillis.make(yield* Clock.currentTimeMillis)
      yield* Effect.mapError(desired.chosen(key, ref, intended), ({ message }) => notBegun(message))
      const called = yield* Effect.either(call(order, { at, call: intended, guest: ref }, before))
      if (called._tag === "Left") {
        yield* desired.forgotten(key)
        return yield* notBegun(called.left.message)
      }
      if (called.right === "not begun") {
        yield* desired.forgotten(key)
        return yield* notBegun("no answer came, and there is no task of it")
      }
      if (called.right !== "taken") {
        return yield* followed({ key, ref, upid: called.right.upid, order, start: options.start, note })
      }
      taken.add(ref.vmid)
    }
    yield* desired.forgotten(key)
    return yield* notBegun(`somebody else took each of ${choicesAtMost} numbers first`)
  })

/** From where the record stands; undefined where nothing was begun, and its record is forgotten. */
const resumed = (
  held: Making,
  order: MakeOrder | undefined,
  start: boolean
): Effect.Effect<MakeEnd | undefined, Trouble, Needs> =>
  Effect.gen(function*() {
    const { guest: ref, key } = held
    if (held.stage === "chosen" || held.upid === null) {
      const upid = yield* foundTask(held)
      if (upid !== undefined) return yield* followed({ key, ref, upid, order, start, note: undefined })
      yield* (yield* OpJournal).desired.forgotten(key)
      return undefined
    }
    const made: Made = { key, ref, upid: held.upid, order, start, note: undefined }
    return yield* held.stage === "called" ? awaited(made) : standing(made, held)
  })

const ending = <R>(making: Effect.Effect<MakeEnd, Trouble, R>): Effect.Effect<MakeEnd, never, R> =>
  Effect.catchAll(making, (error) =>
    Effect.succeed<MakeEnd>(
      error._tag === "Over"
        ? error.end
        : { end: "unknown", detail: `it could not be followed to its end: ${error.message}`, upid: null, ref: null }
    ))

/**
 * Makes the guest of a step: from an archive or a template, under the lowest number that is free, and proves it: read back, found to
 * be what was asked for, and seen running, since the task's `OK` says neither (platform-facts 11, item 6).
 *
 * Idempotent by the journal's record of its key: called again after a crash it goes on from where that stands, and never makes a
 * second one. A guest that is not ours is never touched; one of ours that turns out wrong before its first start is removed again.
 */
export const makeGuest = (step: MakeStep, options: MakeOptions): Effect.Effect<MakeEnd, never, Needs> =>
  ending(Effect.gen(function*() {
    const held = yield* recordOf(step.action.key)
    if (held === undefined) return yield* begun(step, options)
    // Its image may be gone by now: then what differs from the wishes is the next plan's to correct.
    const order = yield* Effect.orElseSucceed(orderFor(step, options.policy), () => undefined)
    return (yield* resumed(held, order, options.start)) ?? (yield* begun(step, options, held.at))
  }))

/**
 * The same for a key whose step is not at hand any more, as its desired state was replaced: what was begun is followed to its end
 * and proven, and nothing new is begun.
 */
export const resumeMake = (
  key: string,
  { start }: Pick<MakeOptions, "start">
): Effect.Effect<MakeEnd, never, Needs> =>
  ending(Effect.gen(function*() {
    const held = yield* recordOf(key)
    if (held === undefined) return yield* over("failed", "nothing of it is on record")
    return (yield* resumed(held, undefined, start)) ?? (yield* notBegun("the agent stopped before its call"))
  }))

/** Why the guest of a step can't be made as things are; undefined when it can. Some readings, which change nothing. */
export const checkMaking = (
  step: MakeStep,
  options: Omit<MakeOptions, "start">
): Effect.Effect<string | undefined, never, ProxmoxClient> =>
  Effect.match(looked(step, options, "look"), { onSuccess: () => undefined, onFailure: (why) => why })
