import { describe, expect } from "@effect/vitest"
import { InstanceLock } from "@felhom/domain/port/InstanceLock"
import * as NodeInstanceLock from "@felhom/node/NodeInstanceLock"
import { ownIdentity } from "@felhom/node/ProcessIdentity"
import { Effect, Exit, Scope } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { scopedWith } from "./ScopedWith.ts"
import { temporaryFolder } from "./TemporaryFolder.ts"

const acquire = (directory: string) => Effect.flatMap(InstanceLock, (lock) => lock.acquire(directory))

/** A lock as a daemon would have left it. */
const leave = (directory: string, identity: object, generation = 1) =>
  writeFileSync(join(directory, `daemon.lock.${generation}`), JSON.stringify({ ...ownIdentity(), ...identity }))

const otherProcess = Effect.acquireRelease(
  Effect.async<ChildProcess>((resume) => {
    const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000); process.stdout.write('up')"], {
      stdio: ["ignore", "pipe", "ignore"]
    })
    child.stdout.once("data", () => resume(Effect.succeed(child)))
  }),
  (child) => end(child)
)

const end = (child: ChildProcess): Effect.Effect<void> =>
  Effect.async((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
    child.kill("SIGKILL")
  })

const startTicks = (pid: number | undefined): string =>
  readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /s, "").split(" ")[19] ?? ""

const it = scopedWith(NodeInstanceLock.layer)

describe("the lock of a state folder", () => {
  it("is held by one only, and by the next when its scope has ended", () =>
    Effect.gen(function*() {
      const directory = join(yield* temporaryFolder, "state")
      for (const _ of ["first", "second", "third"]) {
        const scope = yield* Scope.make()
        yield* Scope.extend(acquire(directory), scope)
        expect(yield* Effect.flip(acquire(directory))).toMatchObject({
          _tag: "InstanceLockError",
          reason: "held",
          directory,
          detail: `process ${process.pid}`
        })
        yield* Scope.close(scope, Exit.void)
      }
      expect(readdirSync(directory)).toEqual(["daemon.lock.3"])
    }))

  it("is held by a process that runs, and void once it was killed", () =>
    Effect.gen(function*() {
      const directory = yield* temporaryFolder
      const child = yield* otherProcess
      leave(directory, { pid: child.pid, startTicks: startTicks(child.pid) })
      expect(yield* Effect.flip(acquire(directory))).toMatchObject({ reason: "held", detail: `process ${child.pid}` })
      yield* end(child)
      yield* acquire(directory)
    }))

  it("is void when its pid belongs to another process by now", () =>
    Effect.gen(function*() {
      const directory = yield* temporaryFolder
      leave(directory, { startTicks: "1" })
      yield* acquire(directory)
    }))

  it("is void after the host was started again", () =>
    Effect.gen(function*() {
      const directory = yield* temporaryFolder
      leave(directory, { bootId: "00000000-0000-0000-0000-000000000000" })
      yield* acquire(directory)
    }))

  it("is held in doubt: nobody can look into another pid namespace", () =>
    Effect.gen(function*() {
      const directory = yield* temporaryFolder
      leave(directory, { pid: 4_000_000, startTicks: "1", pidNamespace: "pid:[1]" })
      expect(yield* Effect.flip(acquire(directory))).toMatchObject({ reason: "held" })
    }))

  it("that a power cut damaged is void", () =>
    Effect.gen(function*() {
      const directory = yield* temporaryFolder
      writeFileSync(join(directory, "daemon.lock.7"), "")
      yield* acquire(directory)
      expect(readdirSync(directory)).toEqual(["daemon.lock.8"])
    }))

  it("left by a dead holder is taken over by exactly one of many that start at once", () =>
    Effect.gen(function*() {
      for (const _ of Array.from({ length: 20 })) {
        const directory = yield* temporaryFolder
        leave(directory, { startTicks: "1" }, 5)
        const exits = yield* Effect.all(Array.from({ length: 12 }, () => Effect.exit(acquire(directory))), {
          concurrency: "unbounded"
        })
        expect(exits.filter(Exit.isSuccess)).toHaveLength(1)
        expect(readdirSync(directory)).toEqual(["daemon.lock.6"])
      }
    }))

  it("is not taken from its holder by a starter that looked long ago", () =>
    Effect.gen(function*() {
      const directory = yield* temporaryFolder
      leave(directory, { startTicks: "1" }, 5)
      // Meanwhile two others came and went, and a third holds it: the number after 5 is free again.
      for (const _ of ["first", "second"]) yield* Effect.scoped(acquire(directory))
      yield* acquire(directory)
      expect(readdirSync(directory)).toEqual(["daemon.lock.8"])
      expect(yield* Effect.promise(() => NodeInstanceLock.claimAfter(directory, 5))).toBe("again")
      expect(readdirSync(directory)).toEqual(["daemon.lock.8"])
      expect(yield* Effect.flip(acquire(directory))).toMatchObject({ reason: "held" })
    }))

  it("in a folder that can't be written is an error that names the folder", () =>
    Effect.gen(function*() {
      const folder = yield* temporaryFolder
      writeFileSync(join(folder, "file"), "")
      const error = yield* Effect.flip(acquire(join(folder, "file")))
      expect(error).toMatchObject({ reason: "unwritable", directory: join(folder, "file") })
      expect(error.message).toContain("FELHOM_AGENT_STATE_DIR")
    }))
})
