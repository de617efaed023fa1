import { it } from "@effect/vitest"
import { NodeName, TokenId } from "@felhom/domain/ProxmoxId"
import type { TaskOutcome } from "@felhom/domain/TaskOutcome"
import { Upid } from "@felhom/domain/Upid"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import { ProxmoxError, type ProxmoxReason } from "@felhom/proxmox/ProxmoxError"
import * as TaskWaiter from "@felhom/proxmox/TaskWaiter"
import { Clock, Effect, Fiber, Layer, TestClock } from "effect"
import { describe, expect } from "vitest"
import { died, ok, scripted } from "./ScriptedApi.ts"

const upid = Upid.make("UPID:demo-felhom:000001D5:00064B2C:6B023662:vzsnapshot:101:felhom-agent@pve!agent:")

const lines = (count: number) => Array.from({ length: count }, (_, index) => ({ n: index + 1, t: `line ${index + 1}` }))

const refused = (reason: ProxmoxReason, status: number | null = null) =>
  new ProxmoxError({
    reason,
    method: "GET",
    path: "/nodes/demo-felhom/tasks",
    host: "demo.example:8006",
    tokenId: "felhom-agent@pve!agent",
    status,
    detail: "",
    errors: {}
  })

type Status = { readonly status: "running" | "stopped"; readonly exitstatus: string | null }

const running: Status = { status: "running", exitstatus: null }
const stopped = (exitstatus: string | null): Status => ({ status: "stopped", exitstatus })

/** A client whose task behaves as `at` says, given the seconds since the test began; `looks` counts the polls. */
const task = (at: (seconds: number) => Effect.Effect<Status, ProxmoxError>, log = lines(1)) => {
  const looks: Array<number> = []
  const client = Layer.mock(ProxmoxClient, {
    node: NodeName.make("demo-felhom"),
    tokenId: TokenId.make("felhom-agent@pve!agent"),
    taskStatus: () =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        looks.push(now / 1000)
        return at(now / 1000)
      }),
    taskLog: (_upid, { limit, start }) =>
      Effect.succeed({
        rows: log.slice(start, limit === 0 ? undefined : start + limit),
        unreadable: [],
        total: log.length
      })
  })
  return { looks, layer: Layer.provide(TaskWaiter.layer, client) }
}

const wait = (id = upid) => Effect.flatMap(TaskWaiter.TaskWaiter, (waiter) => waiter.wait(id))

/** The outcome of a wait while the clock runs for up to ten minutes. */
const waited = <A, E>(effect: Effect.Effect<A, E, TaskWaiter.TaskWaiter>) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.fork(effect)
    yield* TestClock.adjust("10 minutes")
    return yield* Fiber.join(fiber)
  })

describe("the end of a task", () => {
  it.effect.each<readonly [string, TaskOutcome]>([
    ["OK", { _tag: "ok", upid }],
    ["WARNINGS: 3", { _tag: "warnings", upid, count: 3, logTail: ["line 1"] }],
    ["CT is locked (backup)", { _tag: "failed", upid, exitStatus: "CT is locked (backup)", logTail: ["line 1"] }],
    ["WARNINGS: many", { _tag: "failed", upid, exitStatus: "WARNINGS: many", logTail: ["line 1"] }]
  ])("%s", ([exitstatus, outcome]) => {
    const { layer } = task(() => Effect.succeed(stopped(exitstatus)))
    return Effect.map(waited(wait()), (actual) => expect(actual).toEqual(outcome)).pipe(Effect.provide(layer))
  })

  it.effect.each(["unexpected status", "", null, "unable to get last line from task log - no such file"])(
    "%j is unknown, not failed",
    (exitstatus) => {
      const { layer } = task(() => Effect.succeed(stopped(exitstatus)))
      return Effect.map(
        waited(wait()),
        (outcome) => expect(outcome).toMatchObject({ _tag: "unknown", logTail: ["line 1"] })
      )
        .pipe(Effect.provide(layer))
    }
  )

  it.effect("is told with the last twenty lines of its log", () => {
    const { layer } = task(() => Effect.succeed(stopped("job errors")), lines(1234))
    return Effect.map(waited(wait()), (outcome) =>
      expect(outcome).toMatchObject({
        _tag: "failed",
        logTail: Array.from({ length: 20 }, (_, index) => `line ${1215 + index}`)
      })).pipe(Effect.provide(layer))
  })

  it.effect("is unknown when the node has lost its record", () => {
    const { layer } = task(() => Effect.fail(refused("task-not-found", 400)))
    return Effect.map(waited(wait()), (outcome) => expect(outcome._tag).toBe("unknown")).pipe(Effect.provide(layer))
  })

  it.effect("is known though its log can't be read", () => {
    const api = scripted((sent) =>
      Effect.succeed(
        sent.path.includes("/log?") ? died("disk full") : ok({ status: "stopped", exitstatus: "job errors" })
      )
    )
    return Effect.map(waited(wait()), (outcome) => {
      expect(outcome).toMatchObject({ _tag: "failed", exitStatus: "job errors" })
      expect(outcome._tag === "failed" ? outcome.logTail.join() : "").toContain("could not be read")
    }).pipe(Effect.provide(Layer.provide(TaskWaiter.layer, api.layer)))
  })
})

describe("while a task runs", () => {
  it.effect.each([
    { seconds: 0.05, looks: 1 },
    { seconds: 1, looks: 10 },
    { seconds: 10, looks: 35 },
    { seconds: 300, looks: 102 }
  ])("for $seconds s it is looked at $looks times, and its end is seen within a tenth", ({ looks, seconds }) => {
    const fake = task((now) => Effect.succeed(now >= seconds ? stopped("OK") : running))
    return Effect.map(waited(wait()), (outcome) => {
      expect(outcome._tag).toBe("ok")
      expect(fake.looks).toHaveLength(looks)
      const seen = fake.looks.at(-1) ?? 0
      expect(seen - seconds).toBeLessThanOrEqual(Math.min(5, Math.max(0.1, seconds * 0.1)) + 1e-9)
    }).pipe(Effect.provide(fake.layer))
  })

  it.effect.each<readonly [ProxmoxReason, number | null]>([
    ["unreachable", null],
    ["unreachable", 596],
    ["not-started", 595],
    ["lock-timeout", 500],
    ["refused-certificate", null],
    ["other", 500]
  ])("a minute of %s (%s) is waited through", ([reason, status]) => {
    const fake = task((now) =>
      now > 5 && now < 65 ? Effect.fail(refused(reason, status)) : Effect.succeed(now >= 70 ? stopped("OK") : running)
    )
    return Effect.map(waited(wait()), (outcome) => expect(outcome._tag).toBe("ok")).pipe(Effect.provide(fake.layer))
  })

  it.effect("a silence counts from the last answer, so that many short ones are waited through", () => {
    const fake = task((now) =>
      now > 300
        ? Effect.succeed(stopped("OK"))
        : now % 100 > 10
        ? Effect.fail(refused("unreachable"))
        : Effect.succeed(running)
    )
    return Effect.map(waited(wait()), (outcome) => expect(outcome._tag).toBe("ok")).pipe(Effect.provide(fake.layer))
  })

  it.effect("two minutes without an answer end the wait as unknown, with the reason", () => {
    const fake = task((now) => now > 5 ? Effect.fail(refused("unreachable")) : Effect.succeed(running))
    return Effect.map(waited(wait()), (outcome) => {
      expect(outcome).toMatchObject({ _tag: "unknown", upid })
      expect(outcome._tag === "unknown" ? outcome.reason : "").toContain("no answer about it for 12")
      expect(fake.looks.at(-1)).toBeGreaterThanOrEqual(124)
      expect(fake.looks.at(-1)).toBeLessThan(131)
    }).pipe(Effect.provide(fake.layer))
  })

  it.effect.each<readonly [ProxmoxReason, number]>([["unauthorized", 401], ["forbidden", 403], ["unsupported", 501]])(
    "%s is an error at once, since asking again is no use",
    ([reason, status]) => {
      const fake = task(() => Effect.fail(refused(reason, status)))
      return Effect.map(waited(Effect.flip(wait())), (error) => {
        expect(error).toMatchObject({ _tag: "ProxmoxError", reason })
        expect(fake.looks).toHaveLength(1)
      }).pipe(Effect.provide(fake.layer))
    }
  )

  it.effect("an interrupted wait sends nothing that would stop it", () => {
    const api = scripted(() => Effect.succeed(ok({ status: "running" })))
    return Effect.gen(function*() {
      const fiber = yield* Effect.fork(wait())
      yield* TestClock.adjust("1 minute")
      yield* Fiber.interrupt(fiber)
      yield* TestClock.adjust("1 minute")
      expect(api.sent.length).toBeGreaterThan(10)
      expect(new Set(api.sent.map((sent) => sent.method))).toEqual(new Set(["GET"]))
    }).pipe(Effect.provide(Layer.provide(TaskWaiter.layer, api.layer)))
  })
})

describe("a task that is not ours", () => {
  it.effect.each([
    "UPID:other-node:000001D5:00064B2C:6B023662:vzsnapshot:101:felhom-agent@pve!agent:",
    "UPID:demo-felhom:000001D5:00064B2C:6B023662:vzsnapshot:101:root@pam:",
    "UPID:demo-felhom:000001D5:00064B2C:6B023662:vzsnapshot:101:felhom-agent@pve!other:"
  ])("is not waited for: %s", (text) => {
    const fake = task(() => Effect.succeed(stopped("OK")))
    return Effect.map(Effect.flip(wait(Upid.make(text))), (error) => {
      expect(error._tag).toBe("ForeignTask")
      expect(fake.looks).toEqual([])
    }).pipe(Effect.provide(fake.layer))
  })
})

describe("settling", () => {
  it.effect("needs no look for what was done at once, and follows what was not", () => {
    const fake = task(() => Effect.succeed(stopped("OK")))
    return Effect.gen(function*() {
      const waiter = yield* TaskWaiter.TaskWaiter
      expect(yield* waiter.settle(null)).toEqual({ _tag: "ok", upid: null })
      expect(fake.looks).toEqual([])
      expect(yield* waited(waiter.settle(upid))).toEqual({ _tag: "ok", upid })
    }).pipe(Effect.provide(fake.layer))
  })

  it.effect("takes warnings for done, and tells failed from unknown", () =>
    Effect.gen(function*() {
      const warnings = { _tag: "warnings", upid, count: 1, logTail: [] } as const
      expect(yield* TaskWaiter.expectOk("snapshot lxc/101", warnings)).toBe(warnings)
      const failed = yield* Effect.flip(
        TaskWaiter.expectOk("snapshot lxc/101", {
          _tag: "failed",
          upid,
          exitStatus: "no space\u001b[2J",
          logTail: ["a", "b"]
        })
      )
      expect(failed.message).toBe("could not snapshot lxc/101: no space\\u001b[2J\n  a\n  b")
      const unknown = yield* Effect.flip(
        TaskWaiter.expectOk("snapshot lxc/101", { _tag: "unknown", upid, reason: "host went down", logTail: [] })
      )
      expect(unknown.message).toContain("nobody can tell whether the agent could snapshot lxc/101: host went down")
    }))
})
