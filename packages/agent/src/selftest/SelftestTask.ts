import { displayText } from "@felhom/domain/DisplayText"
import { trimDescription } from "@felhom/domain/GuestConfig"
import { Crypto } from "@felhom/domain/port/Crypto"
import { formatGuestRef, type GuestRef, SnapshotName, type Vmid } from "@felhom/domain/ProxmoxId"
import type { TaskOutcome } from "@felhom/domain/TaskOutcome"
import { OpJournal } from "@felhom/durable/OpJournal"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import type { ProxmoxError } from "@felhom/proxmox/ProxmoxError"
import { TaskWaiter } from "@felhom/proxmox/TaskWaiter"
import { type AgentPrivilege, checkRights, explainMissing } from "@felhom/reconciler/Rights"
import { Data, Effect, Fiber, Ref } from "effect"
import { Checklist } from "./Checklist.ts"
import { rightsStep } from "./SelftestRead.ts"

/** The one name that the selftest uses. A snapshot of that name that was there before is never touched. */
export const selftestSnapshot = SnapshotName.make("felhom-selftest")

const descriptionLimit = 8192

/** The guest can't be used for the test, or did not do as asked. */
class NotAsNeeded extends Data.TaggedError("NotAsNeeded")<{ readonly message: string }> {}

const refuse = (message: string) => new NotAsNeeded({ message })

const privileges: ReadonlyArray<AgentPrivilege> = [
  "VM.Audit",
  "VM.Config.Options",
  "VM.Snapshot",
  "VM.Snapshot.Rollback"
]

const logTail = (lines: ReadonlyArray<string>): string => lines.map((text) => `\n  ${displayText(text)}`).join("")

/** Only OK passes here: a warning in a test of the machinery is a finding, even though the task did its work. */
const strictly = (outcome: TaskOutcome): Effect.Effect<string, NotAsNeeded> => {
  switch (outcome._tag) {
    case "ok":
      return Effect.succeed("exit status OK")
    case "warnings":
      return refuse(`the task was done, but ended with WARNINGS: ${outcome.count}${logTail(outcome.logTail)}`)
    case "failed":
      return refuse(`the task failed: ${displayText(outcome.exitStatus)}${logTail(outcome.logTail)}`)
    case "unknown":
      return refuse(
        `how the task ended is unknown: ${displayText(outcome.reason)}; look at the guest and its task log by hand` +
          logTail(outcome.logTail)
      )
  }
}

interface Subject {
  readonly ref: GuestRef
  readonly running: boolean
  /** Without the newlines that Proxmox adds; null when there is none. */
  readonly description: string | null
}

const findGuest = (vmid: Vmid) =>
  Effect.gen(function*() {
    const client = yield* ProxmoxClient
    for (const type of ["lxc", "qemu"] as const) {
      const row = (yield* client.guests(type)).rows.find((guest) => guest.vmid === vmid)
      if (row !== undefined) return { ref: { type, vmid }, row }
    }
    return yield* refuse(
      `there is no guest ${vmid} on node ${client.node}, or the token may not see it (VM.Audit on /vms/${vmid})`
    )
  })

const rights = (vmid: Vmid) =>
  Effect.gen(function*() {
    const client = yield* ProxmoxClient
    const finding = yield* checkRights(privileges.map((privilege) => ({ privilege, path: `/vms/${vmid}` })))
    if (finding.missing.length > 0) return yield* refuse(explainMissing(finding, client.tokenId))
  })

/**
 * Runs a step to its end even when the selftest is told to stop. It runs as a fiber of its own: where interruption is merely
 * switched off, a call's time limit could not be cancelled either, and every call would take all of its limit.
 */
const toItsEnd = <A, E, R>(step: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.uninterruptible(Effect.flatMap(Effect.forkDaemon(Effect.interruptible(step)), Fiber.join))

/** Everything that can be known beforehand is asked beforehand: a test that is refused has touched nothing. */
const chooseSubject = (vmid: Vmid, options: { readonly allowRunning: boolean }) =>
  Effect.gen(function*() {
    const client = yield* ProxmoxClient
    const { ref, row } = yield* findGuest(vmid)
    const name = formatGuestRef(ref)
    yield* rights(vmid)
    if (row.template) return yield* refuse(`${name} is a template; choose a guest that can be rolled back`)
    if (row.lock !== null) {
      return yield* refuse(`${name} is locked (${displayText(row.lock)}): wait until that operation has ended`)
    }
    const running = row.status !== "stopped"
    if (running && !options.allowRunning) {
      return yield* refuse(
        `${name} is running, and the rollback would stop it hard: choose a stopped guest, or say --allow-running`
      )
    }
    const { rows } = yield* client.snapshots(ref)
    if (rows.some((snapshot) => snapshot.name.toLowerCase() === selftestSnapshot)) {
      return yield* refuse(
        `${name} has a snapshot ${selftestSnapshot} already, left by an interrupted selftest or made by a person: look at it ` +
          `and remove it by hand (${ref.type === "lxc" ? "pct" : "qm"} delsnapshot ${vmid} ${selftestSnapshot})`
      )
    }
    if (!(yield* client.hasFeature(ref, "snapshot"))) {
      return yield* refuse(
        `${name} can't be snapshotted: a bind mount or a volume on a directory storage rules it out; choose another guest`
      )
    }
    const description = (yield* client.guestConfig(ref))["description"]
    const text = typeof description === "string" ? trimDescription(description) : ""
    const subject: Subject = { ref, running, description: text === "" ? null : text }
    return {
      subject,
      shown: `${name} (${displayText(row.name ?? "no name")}) is ${row.status}, and can be snapshotted`
    }
  })

const waited = (upid: Effect.Effect<Parameters<Wait>[0], ProxmoxError>) =>
  Effect.flatMap(upid, (started) => Effect.flatMap(TaskWaiter, (tasks) => tasks.wait(started)))
type Wait = Effect.Effect.Success<typeof TaskWaiter>["wait"]

/** Whether our snapshot may be there: set before it is asked for, cleared once it is seen to be gone. */
interface Traces {
  readonly snapshot: Ref.Ref<boolean>
  readonly description: Ref.Ref<boolean>
}

const snapshotIsThere = (ref: GuestRef) =>
  Effect.gen(function*() {
    const client = yield* ProxmoxClient
    return (yield* client.snapshots(ref)).rows.some(({ name }) => name === selftestSnapshot)
  })

const removeSnapshot = ({ ref }: Subject, traces: Traces) =>
  Effect.gen(function*() {
    const client = yield* ProxmoxClient
    const journal = yield* OpJournal
    const tasks = yield* TaskWaiter
    const mandate = yield* journal.own({ op: "snapshot.delete", guest: ref, snapshot: selftestSnapshot })
    const outcome = yield* tasks.wait(yield* client.deleteSnapshot(ref, selftestSnapshot, mandate))
    if (yield* snapshotIsThere(ref)) {
      yield* strictly(outcome)
      return yield* refuse("the task says OK and the snapshot is still there")
    }
    yield* journal.gone({ guest: ref, snapshot: selftestSnapshot })
    yield* Ref.set(traces.snapshot, false)
    return yield* strictly(outcome)
  })

const snapshotSteps = (subject: Subject, traces: Traces) =>
  Effect.gen(function*() {
    const checklist = yield* Checklist
    const client = yield* ProxmoxClient
    const journal = yield* OpJournal
    const { ref } = subject
    const object = { guest: ref, snapshot: selftestSnapshot }
    const take = Effect.gen(function*() {
      yield* Ref.set(traces.snapshot, true)
      const outcome = yield* waited(
        client.createSnapshot(ref, {
          name: selftestSnapshot,
          description: "felhom-agent selftest; removed when it ends"
        })
      )
      yield* journal.made(object, outcome)
      return yield* strictly(outcome)
    })
    const back = Effect.gen(function*() {
      const tasks = yield* TaskWaiter
      const mandate = yield* journal.own({ op: "guest.rollback", ...object })
      return yield* strictly(yield* tasks.wait(yield* client.rollback(ref, selftestSnapshot, mandate)))
    })
    // Ctrl-C takes effect between these steps: in the middle of one, nobody could say whether the snapshot is ours.
    yield* checklist.step("snapshot", toItsEnd(take), (detail) => detail)
    yield* checklist.step("rollback", toItsEnd(back), (detail) => detail)
    yield* checklist.step(
      "delete snapshot",
      toItsEnd(removeSnapshot(subject, traces)),
      (detail) => detail
    )
  })

const writeDescription = (ref: GuestRef, text: string | null) =>
  Effect.gen(function*() {
    const client = yield* ProxmoxClient
    const tasks = yield* TaskWaiter
    const change = text === null ? { delete: ["description"] } : { set: { description: text } }
    return yield* strictly(yield* tasks.settle(yield* client.setConfig(ref, change)))
  })

const readDescription = (ref: GuestRef) =>
  Effect.gen(function*() {
    const client = yield* ProxmoxClient
    const found = (yield* client.guestConfig(ref))["description"]
    const text = typeof found === "string" ? trimDescription(found) : ""
    return text === "" ? null : text
  })

const restoreDescription = ({ description, ref }: Subject, traces: Traces) =>
  Effect.gen(function*() {
    yield* writeDescription(ref, description)
    if ((yield* readDescription(ref)) !== description) return yield* refuse("it reads back as something else")
    yield* Ref.set(traces.description, false)
  })

const descriptionSteps = (subject: Subject, traces: Traces) =>
  Effect.gen(function*() {
    const checklist = yield* Checklist
    const crypto = yield* Crypto
    const marker = `felhom-selftest ${yield* crypto.randomHex(8)}`
    // The original stays in front of the marker, so that even a power cut in between loses none of it.
    const marked = subject.description === null ? marker : `${subject.description}\n${marker}`
    const write = Effect.gen(function*() {
      if (marked.length > descriptionLimit) {
        return yield* refuse("the guest's description is too long to add a marker to")
      }
      yield* Ref.set(traces.description, true)
      yield* writeDescription(subject.ref, marked)
      if ((yield* readDescription(subject.ref)) !== marked) return yield* refuse("the marker does not read back")
    })
    yield* checklist.step("write a marker", write, () => "written to the description, and read back")
    yield* checklist.step(
      "restore",
      restoreDescription(subject, traces),
      () => subject.description === null ? "the description is gone again, as it was" : "the description is as it was"
    )
  })

/** Whatever happened, the guest is put back; what could not be is said with what to do by hand. */
const putBack = (subject: Subject, traces: Traces) =>
  Effect.gen(function*() {
    const checklist = yield* Checklist
    const client = yield* ProxmoxClient
    const { ref } = subject
    const tool = ref.type === "lxc" ? "pct" : "qm"
    const mend = <E extends { readonly message: string }, R>(
      what: string,
      done: Effect.Effect<unknown, E, R>,
      byHand: string
    ) =>
      Effect.matchEffect(done, {
        onFailure: (error) =>
          checklist.fail("put back", `${what} could not be put back: ${error.message}\nby hand: ${byHand}`),
        onSuccess: () => checklist.note("put back", what)
      })
    if (yield* Ref.get(traces.snapshot)) {
      const gone = Effect.flatMap(snapshotIsThere(ref), (there) =>
        there ? Effect.asVoid(removeSnapshot(subject, traces)) : Effect.void)
      yield* mend(
        `no snapshot ${selftestSnapshot} is left`,
        gone,
        `${tool} delsnapshot ${ref.vmid} ${selftestSnapshot}`
      )
    }
    if (yield* Ref.get(traces.description)) {
      yield* mend(
        "the description is as it was",
        restoreDescription(subject, traces),
        `remove the last line, felhom-selftest …, from the notes of ${formatGuestRef(ref)}`
      )
    }
    if (subject.running) {
      // No look at its status first: that can block while the guest's volumes are mounted.
      const start = Effect.flatMap(waited(client.start(ref)), strictly).pipe(
        Effect.catchIf(
          (error) =>
            error._tag === "ProxmoxError" && error.reason === "wrong-state",
          () => Effect.void
        )
      )
      yield* mend("the guest runs again", start, `${tool} start ${ref.vmid}`)
    }
  })

/**
 * Shows on one guest that the agent can change things and knows when they are done: snapshot, rollback, delete, each awaited to
 * its exit status; then a marker in the description, read back and taken away again. What the test itself needs is asked for
 * before anything is touched; whether the token has all that the agent will need, at the end.
 */
export const selftestTask = (vmid: Vmid, options: { readonly allowRunning: boolean }) =>
  Effect.gen(function*() {
    const checklist = yield* Checklist
    const { subject } = yield* checklist.step("guest", chooseSubject(vmid, options), ({ shown }) => shown)
    const traces: Traces = { snapshot: yield* Ref.make(false), description: yield* Ref.make(false) }
    yield* Effect.ensuring(
      Effect.zipRight(snapshotSteps(subject, traces), descriptionSteps(subject, traces)),
      toItsEnd(putBack(subject, traces))
    )
    yield* rightsStep
  })
