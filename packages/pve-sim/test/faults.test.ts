import { it } from "@effect/vitest"
import type { FaultRule } from "@felhom/pve-sim/Fault"
import { rulesOfSeed } from "@felhom/pve-sim/FaultPlan"
import { PveSim } from "@felhom/pve-sim/PveSim"
import { Effect, TestClock } from "effect"
import { expect } from "vitest"
import { ask, logOf, node, secrets, statusOf, upidOf } from "./Asking.ts"

const guest = `${node}/lxc/9999`

const rule = (fault: FaultRule["fault"], more: Partial<FaultRule> = {}): FaultRule => ({
  path: "*",
  type: "*",
  skip: 0,
  times: 1,
  chance: 1,
  ...more,
  fault
})

const on = (...faults: ReadonlyArray<FaultRule>) => Effect.provide(PveSim.layer({ secrets, faults }))

it.effect("a 596 after the effect leaves the change behind, and one before leaves nothing", () =>
  Effect.gen(function*() {
    const put = (text: string) => ask("PUT", `${guest}/config`, `description=${text}`)
    expect(yield* put("one")).toMatchObject({ status: 596, reason: "Connection timed out" })
    expect((yield* ask("GET", `${guest}/config`)).data).toMatchObject({ description: "one\n" })
    expect(yield* put("two")).toMatchObject({ status: 595, reason: "Connection refused" })
    expect((yield* ask("GET", `${guest}/config`)).data).toMatchObject({ description: "one\n" })
    expect((yield* put("three")).status).toBe(200)
  }).pipe(on(
    rule({ _tag: "answer", status: 596, when: "after" }, { method: "PUT" }),
    rule({ _tag: "answer", status: 595, when: "before" }, { method: "PUT", skip: 1 })
  )))

it.effect("a task that fails has done nothing, and one that vanishes has done all of it", () =>
  Effect.gen(function*() {
    const outcome = (name: string) =>
      Effect.gen(function*() {
        const upid = upidOf(yield* ask("POST", `${guest}/snapshot`, `snapname=${name}`))
        yield* TestClock.adjust("3 seconds")
        const { data } = yield* statusOf(upid)
        const { data: config } = yield* ask("GET", `${guest}/config`)
        return { status: data, config }
      })
    const failed = yield* outcome("first")
    expect(failed.status).toMatchObject({ exitstatus: "input/output error" })
    expect(failed.config).not.toHaveProperty("parent")
    const vanished = yield* outcome("second")
    expect(vanished.status).toMatchObject({ exitstatus: "unexpected status" })
    expect(vanished.config).toMatchObject({ parent: "second" })
    expect((yield* outcome("third")).status).toMatchObject({ exitstatus: "WARNINGS: 1" })
  }).pipe(on(
    rule({ _tag: "task", outcome: "fail", message: "input/output error" }, { type: "vzsnapshot" }),
    rule({ _tag: "task", outcome: "vanish", message: "lost" }, { type: "vzsnapshot", skip: 1 }),
    rule({ _tag: "task", outcome: "warn", message: "clock skew" }, { type: "vzsnapshot", skip: 2 })
  )))

it.effect("a task that hangs runs until somebody stops it", () =>
  Effect.gen(function*() {
    const upid = upidOf(yield* ask("POST", `${node}/vzdump`, "vmid=9999&storage=local"))
    yield* TestClock.adjust("3 hours")
    expect((yield* statusOf(upid)).data).toMatchObject({ status: "running" })
    yield* ask("DELETE", `${node}/tasks/${encodeURIComponent(upid)}`)
    expect((yield* statusOf(upid)).data).toMatchObject({ status: "stopped", exitstatus: "received interrupt" })
  }).pipe(on(rule({ _tag: "task", outcome: "hang", message: "hangs" }, { type: "vzdump" }))))

it.effect("a backup to a disk that fills up fails, and leaves nothing behind", () =>
  Effect.gen(function*() {
    const upid = upidOf(yield* ask("POST", `${node}/vzdump`, "vmid=9999&storage=local&compress=zstd"))
    yield* TestClock.adjust("1 minute")
    expect((yield* statusOf(upid)).data).toMatchObject({ exitstatus: "job errors" })
    const { data } = yield* logOf(upid)
    expect(JSON.stringify(data)).toContain("No space left on device")
    expect((yield* ask("GET", `${node}/storage/local/content?content=backup`)).data).toEqual([])
    expect((yield* ask("GET", `${guest}/config`)).data).not.toHaveProperty("lock")
  }).pipe(
    on(rule(
      { _tag: "console", change: { _tag: "storage.avail", storage: "local", bytes: 1000 } },
      { method: "POST", path: "/nodes/*/vzdump" }
    ))
  ))

it.effect("a node that reboots in the middle of a backup leaves its lock, and nobody knows how it ended", () =>
  Effect.gen(function*() {
    const sim = yield* PveSim
    const upid = upidOf(yield* ask("POST", `${node}/vzdump`, "vmid=9999&storage=local&compress=zstd"))
    yield* TestClock.adjust("200 millis")
    yield* sim.change({ _tag: "node.reboot" })
    expect((yield* statusOf(upid)).data).toMatchObject({ status: "stopped", exitstatus: "unexpected status" })
    expect((yield* ask("GET", `${guest}/config`)).data).toMatchObject({ lock: "backup" })
    expect((yield* ask("GET", `${node}/storage/local/content?content=backup`)).data).toEqual([])
    // The only way over the API to be rid of it.
    const startall = upidOf(yield* ask("POST", `${node}/startall`, "vms=9999"))
    yield* TestClock.adjust("5 seconds")
    expect((yield* logOf(startall)).data).toEqual([
      { n: 1, t: "removed left over backup lock from '9999'!" },
      { n: 2, t: "TASK OK" }
    ])
  }).pipe(on()))

it("the same seed goes wrong in the same way, and another in another", () => {
  expect(rulesOfSeed(7)).toEqual(rulesOfSeed(7))
  expect(rulesOfSeed(7)).not.toEqual(rulesOfSeed(8))
})

it.effect("what is left to chance is decided by the seed alone", () => {
  const half = [rule({ _tag: "answer", status: 500, when: "before" }, { times: 0, chance: 0.5, path: "/version" })]
  const day = (seed: number) =>
    Effect.replicateEffect(ask("GET", "/api2/json/version"), 30).pipe(
      Effect.map((answers) => answers.map(({ status }) => status)),
      Effect.provide(PveSim.layer({ secrets, faults: half, seed }))
    )
  return Effect.gen(function*() {
    const first = yield* day(1)
    expect(new Set(first)).toEqual(new Set([200, 500]))
    expect(yield* day(1)).toEqual(first)
    expect(yield* day(2)).not.toEqual(first)
  })
})
