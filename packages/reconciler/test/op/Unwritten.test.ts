import { describe, it } from "@effect/vitest"
import { DurableFileError } from "@felhom/domain/port/DurableFile"
import { FileSteps } from "@felhom/domain/port/FileSteps"
import { Hold } from "@felhom/durable/Hold"
import { OpJournal } from "@felhom/durable/OpJournal"
import { ConsoleChange } from "@felhom/pve-sim/ConsoleChange"
import { Context, Effect, Layer, Schema } from "effect"
import { expect } from "vitest"
import { type Disk, makeModel } from "../../../durable/test/ModelFileSystem.ts"
import { type Host, makeHost, minutes, onHost, snapshotDelete, tiny } from "./SignedHost.ts"

const change = Schema.decodeUnknownSync(ConsoleChange)

/**
 * A disk on which these logs take nothing more once it is broken; what was appended last is there all the same where it is `late`
 * that it says so.
 */
const failing = (disk: Disk, ...logs: ReadonlyArray<string>) => failingDisk(disk, logs, false)
const failingDisk = (disk: Disk, logs: ReadonlyArray<string>, late: boolean) => {
  const model = makeModel(disk)
  let broken = false
  const files = Layer.map(model.layer, (context) => {
    const steps = Context.get(context, FileSteps)
    return Context.make(FileSteps, {
      ...steps,
      create: (path) =>
        Effect.map(steps.create(path), (file) => {
          const orFail = <A>(effect: Effect.Effect<A, DurableFileError>): Effect.Effect<A, DurableFileError> =>
            Effect.suspend(() =>
              broken && logs.some((log) => path.includes(log))
                ? new DurableFileError({ operation: "append to", path, code: "EIO", detail: "i/o error" })
                : effect
            )
          return {
            append: (bytes: Uint8Array) => orFail(file.append(bytes)),
            sync: orFail(file.sync),
            appendDurably: (bytes: Uint8Array) =>
              late && broken
                ? Effect.zipRight(file.appendDurably(bytes), orFail(Effect.void))
                : orFail(file.appendDurably(bytes))
          }
        })
    })
  })
  return {
    model,
    files,
    break: Effect.sync(() => {
      broken = true
    })
  }
}

const prepared = Effect.gen(function*() {
  const host = yield* makeHost
  yield* host.sim.change({ _tag: "guest.snapshot", vmid: tiny.vmid, name: "before", description: "" })
  const first = yield* host.boot()
  const op = yield* host.signed(first, yield* snapshotDelete(host, tiny, "before"))
  yield* first.kill
  return { host, op, disk: first.model.present() }
})

/** An agent whose disk breaks as its call is made. */
const breaksAtItsCall = (
  host: Host,
  disk: Disk,
  broken: ReturnType<typeof failing>,
  more: Parameters<Host["boot"]>[1] = {}
) =>
  host.boot(disk, {
    ...broken,
    ...more,
    proxmox: host.proxmoxThrough((request) =>
      Effect.zipRight(request.method === "DELETE" ? broken.break : Effect.void, host.sim.handle(request))
    )
  })

const openOps = (agent: Effect.Effect.Success<ReturnType<Host["boot"]>>) =>
  Effect.map(agent.run(Effect.flatMap(OpJournal, (journal) => journal.open)), (open) => open.length)

describe("an op that was done, and whose end the journal did not take", () => {
  it.effect("is told with that, and no restart tells another end, though nobody can tell any more how it ended", () =>
    Effect.gen(function*() {
      const { disk, host, op } = yield* prepared
      const broken = failing(disk, "journal")
      const agent = yield* breaksAtItsCall(host, disk, broken)
      yield* agent.fromHub(op)
      yield* minutes(1)
      expect(agent.kinds()).toEqual(["op.accepted", "op.started", "op.finished"])
      expect(agent.messages().at(-1)).toContain(
        "the journal did not take this: a restart goes by state.json, and without it looks for its end once more"
      )
      yield* agent.kill
      // Proxmox has forgotten the task.
      yield* host.sim.change(change({ _tag: "task.expire", before: Number.MAX_SAFE_INTEGER }))
      const left = agent.model.present()

      const again = yield* host.boot(left, { lasting: agent.lasting() })
      yield* again.recover
      yield* minutes(3)
      expect(again.kinds()).toEqual([])
      expect(yield* openOps(again)).toBe(0)
      // The journal holds it now.
      expect(again.lasting()).toEqual([])
      yield* again.fromHub(op)
      yield* minutes(1)
      expect(again.kinds()).toEqual([])
      yield* again.kill

      // Without the state file nobody on the host knows.
      const later = yield* host.boot(left)
      yield* later.recover
      yield* minutes(3)
      expect(later.kinds()).toEqual(["op.unknown"])
      expect(yield* host.writes).toHaveLength(1)
    }).pipe(Effect.provide(onHost)))

  it.effect("is told once where the journal has it after all, and is remembered no longer than that", () =>
    Effect.gen(function*() {
      const { disk, host, op } = yield* prepared
      const broken = failingDisk(disk, ["journal"], true)
      const agent = yield* host.boot(disk, {
        ...broken,
        proxmox: host.proxmoxThrough((request) =>
          Effect.flatMap(
            host.sim.handle(request),
            (answer) => Effect.as(request.path.endsWith("/status") ? broken.break : Effect.void, answer)
          )
        )
      })
      yield* agent.fromHub(op)
      yield* minutes(1)
      expect(agent.kinds()).toEqual(["op.accepted", "op.started", "op.finished"])
      expect(agent.lasting()).toHaveLength(1)
      yield* agent.kill
      const again = yield* host.boot(agent.model.present(), { lasting: agent.lasting() })
      yield* again.recover
      yield* minutes(3)
      expect(again.kinds()).toEqual([])
      expect(again.lasting()).toEqual([])
      expect(yield* openOps(again)).toBe(0)
    }).pipe(Effect.provide(onHost)))

  it.effect("is not told as an end where nothing on the host takes it, as a restart may find out another one", () =>
    Effect.gen(function*() {
      const { disk, host, op } = yield* prepared
      const broken = failing(disk, "journal")
      const agent = yield* breaksAtItsCall(host, disk, broken, {
        stateFailure: Effect.succeedSome(
          new DurableFileError({ operation: "replace", path: "/state/state.json", code: "EIO", detail: "i/o error" })
        )
      })
      yield* agent.fromHub(op)
      yield* minutes(1)
      expect(agent.kinds()).toEqual(["op.accepted", "op.started", "op.waiting"])
      expect(agent.messages().at(-1)).toContain(
        "for the disk to take its end, or for a restart to find out: finished: done"
      )
      yield* agent.kill
      yield* host.sim.change(change({ _tag: "task.expire", before: Number.MAX_SAFE_INTEGER }))
      const again = yield* host.boot(agent.model.present())
      yield* again.recover
      yield* minutes(3)
      expect(again.kinds()).toEqual(["op.unknown"])
    }).pipe(Effect.provide(onHost)))
})

describe("an op that was not begun, and whose end the journal did not take", () => {
  /** It waits for its guest, then a hold ends it, on a disk that breaks meanwhile. */
  const heldWhileItWaits = (...logs: ReadonlyArray<string>) =>
    Effect.gen(function*() {
      const { disk, host, op } = yield* prepared
      const broken = failing(disk, ...logs)
      const agent = yield* host.boot(disk, broken)
      yield* host.sim.change(change({ _tag: "guest.set", vmid: 9999, key: "lock", value: "backup" }))
      yield* agent.fromHub(op)
      yield* minutes(1)
      yield* agent.run(Effect.flatMap(Hold, (hold) => hold.set("root", "wait")))
      yield* broken.break
      yield* minutes(1)
      expect(agent.kinds()).toEqual(["op.accepted", "op.waiting", "op.failed"])
      yield* agent.kill
      yield* host.sim.change(change({ _tag: "guest.set", vmid: 9999, key: "lock", value: null }))
      const again = yield* host.boot(agent.model.present())
      yield* again.run(Effect.flatMap(Hold, (hold) => hold.release))
      yield* again.recover
      yield* minutes(2)
      return { host, said: agent.messages().at(-1), again: again.messages().at(-1) }
    })

  it.effect("is not begun by a restart either, which would be twice where somebody signed it anew", () =>
    Effect.gen(function*() {
      const { again, host, said } = yield* heldWhileItWaits("journal")
      expect(said).toContain("without it looks for its end once more")
      expect(again).toContain("it was not begun: refused (nonce-spent)")
      expect(yield* host.writes).toEqual([])
    }).pipe(Effect.provide(onHost)))

  it.effect("says that it may still be begun, where its nonce could not be spent either", () =>
    Effect.gen(function*() {
      const { again, said } = yield* heldWhileItWaits("journal", "nonces")
      expect(said).toMatch(
        /neither .* nor the store of nonces took this: .* without it may still begin it, until 2027/
      )
      expect(again).toContain("op.finished")
    }).pipe(Effect.provide(onHost)))
})
