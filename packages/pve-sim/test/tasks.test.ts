import { it } from "@effect/vitest"
import { PveSim } from "@felhom/pve-sim/PveSim"
import { Effect, Fiber, Option, TestClock } from "effect"
import { expect } from "vitest"
import { ask, logOf, node, secrets, statusOf, upidOf } from "./Asking.ts"

const guest = `${node}/lxc/9999`

const provide = Effect.provide(PveSim.layer({ secrets }))

it.effect("a task runs on after its UPID was given, and has no exit status before it has ended", () =>
  Effect.gen(function*() {
    const upid = upidOf(yield* ask("POST", `${guest}/snapshot`, "snapname=one"))
    yield* TestClock.adjust("100 millis")
    expect((yield* statusOf(upid)).data).toMatchObject({
      status: "running",
      user: "felhom-agent@pve",
      tokenid: "agent"
    })
    expect((yield* statusOf(upid)).data).not.toHaveProperty("exitstatus")
    expect((yield* logOf(upid)).data).toEqual([{ n: 1, t: "no content" }])
    expect((yield* ask("GET", `${guest}/config`)).data).toMatchObject({ lock: "snapshot" })
    yield* TestClock.adjust("1 second")
    expect((yield* statusOf(upid)).data).toMatchObject({ status: "stopped", exitstatus: "OK" })
    expect((yield* logOf(upid)).data).toEqual([{ n: 1, t: "TASK OK" }])
    expect((yield* ask("GET", `${guest}/config`)).data).toMatchObject({ parent: "one" })
  }).pipe(provide))

it.effect("of two snapshots at once, one finds the guest locked", () =>
  Effect.gen(function*() {
    const one = upidOf(yield* ask("POST", `${guest}/snapshot`, "snapname=one"))
    const two = upidOf(yield* ask("POST", `${guest}/snapshot`, "snapname=two"))
    yield* TestClock.adjust("2 seconds")
    expect((yield* statusOf(one)).data).toMatchObject({ exitstatus: "OK" })
    expect((yield* statusOf(two)).data).toMatchObject({ exitstatus: "CT is locked (snapshot)" })
    expect((yield* logOf(two)).data).toEqual([
      { n: 1, t: "trying to acquire lock..." },
      { n: 2, t: " OK" },
      { n: 3, t: "TASK ERROR: CT is locked (snapshot)" }
    ])
  }).pipe(provide))

it.effect("a lost UPID is found by guest, type and time, running and ended", () =>
  Effect.gen(function*() {
    const upid = upidOf(yield* ask("POST", `${guest}/snapshot`, "snapname=one"))
    const search = (more: string) =>
      ask("GET", `${node}/tasks?source=all&vmid=9999&typefilter=vzsnapshot&since=0&limit=1${more}`)
    yield* TestClock.adjust("100 millis")
    expect((yield* search("")).data).toMatchObject([{ upid, status: "RUNNING", user: "felhom-agent@pve!agent" }])
    expect((yield* search("&userfilter=felhom-agent%40pve%21agent")).data).toMatchObject([{ upid }])
    yield* TestClock.adjust("2 seconds")
    expect((yield* search("")).data).toMatchObject([{ upid, status: "OK", user: "felhom-agent@pve", tokenid: "agent" }])
    // The trap: once a task has ended, its user is listed without the token.
    expect((yield* search("&userfilter=felhom-agent%40pve%21agent")).data).toEqual([])
  }).pipe(provide))

it.effect("a killed worker leaves an unknown outcome and its lock", () =>
  Effect.gen(function*() {
    const upid = upidOf(yield* ask("POST", `${guest}/snapshot`, "snapname=one"))
    yield* TestClock.adjust("100 millis")
    yield* (yield* PveSim).change({ _tag: "task.kill", upid })
    yield* TestClock.adjust("5 seconds")
    expect((yield* statusOf(upid)).data).toMatchObject({ status: "stopped", exitstatus: "unexpected status" })
    expect((yield* ask("GET", `${guest}/config`)).data).toMatchObject({ lock: "snapshot" })
    expect((yield* ask("GET", `${guest}/snapshot`)).data).toMatchObject([{ name: "one", snapstate: "prepare" }, {}])
    expect((yield* ask("PUT", `${guest}/config`, "onboot=1")).reason).toBe("CT is locked (snapshot)")
  }).pipe(provide))

it.effect("a worker that is killed before its first step leaves an unknown outcome, too", () =>
  Effect.gen(function*() {
    const sim = yield* PveSim
    const upid = upidOf(yield* ask("POST", `${guest}/snapshot`, "snapname=one"))
    yield* sim.change({ _tag: "node.reboot" })
    expect((yield* statusOf(upid)).data).toMatchObject({ status: "stopped", exitstatus: "unexpected status" })
  }).pipe(provide))

it.effect("a worker that is asked to stop cleans up behind itself", () =>
  Effect.gen(function*() {
    const upid = upidOf(yield* ask("POST", `${guest}/snapshot`, "snapname=one"))
    yield* TestClock.adjust("100 millis")
    expect((yield* ask("DELETE", `${node}/tasks/${encodeURIComponent(upid)}`)).data).toBe(null)
    expect((yield* statusOf(upid)).data).toMatchObject({ exitstatus: "received interrupt" })
    expect((yield* ask("GET", `${guest}/config`)).data).not.toHaveProperty("lock")
    expect((yield* ask("GET", `${guest}/snapshot`)).data).toMatchObject([{ name: "current" }])
  }).pipe(provide))

it.effect("a slow shutdown holds the guest's file lock, so a change gives up after ten seconds", () =>
  Effect.gen(function*() {
    const sim = yield* PveSim
    yield* sim.change({ _tag: "guest.status", vmid: 9999, status: "running" })
    yield* sim.change({ _tag: "guest.stubborn", vmid: 9999, stubborn: true })
    const upid = upidOf(yield* ask("POST", `${guest}/status/shutdown`, "timeout=16"))
    yield* TestClock.adjust("2 seconds")
    const change = yield* Effect.fork(ask("PUT", `${guest}/config`, "onboot=1"))
    yield* TestClock.adjust("10 seconds")
    expect((yield* Fiber.join(change)).reason)
      .toBe("can't lock file '/run/lock/lxc/pve-config-9999.lock' - got timeout")
    yield* TestClock.adjust("5 seconds")
    expect((yield* statusOf(upid)).data).toMatchObject({ exitstatus: "container did not stop" })
    expect((yield* ask("GET", `${guest}/status/current`)).data).toMatchObject({ status: "running" })
    expect((yield* ask("PUT", `${guest}/config`, "onboot=1")).status).toBe(200)
  }).pipe(provide))

it.effect("a change that comes while another waits for the same lock finds it free in the end", () =>
  Effect.gen(function*() {
    const sim = yield* PveSim
    yield* sim.change({ _tag: "guest.status", vmid: 9999, status: "running" })
    yield* sim.change({ _tag: "guest.stubborn", vmid: 9999, stubborn: true })
    // The shutdown ends in the moment in which the first change gives up.
    yield* ask("POST", `${guest}/status/shutdown`, "timeout=10")
    yield* TestClock.adjust(0)
    const first = yield* Effect.fork(ask("PUT", `${guest}/config`, "onboot=1"))
    yield* TestClock.adjust("5 seconds")
    const second = yield* Effect.fork(ask("PUT", `${guest}/config`, "onboot=1"))
    yield* TestClock.adjust("6 seconds")
    yield* Fiber.join(first)
    expect((yield* Fiber.join(second)).status).toBe(200)
  }).pipe(provide))

it.effect("a stop that overrules leaves the shutdown's outcome unknown", () =>
  Effect.gen(function*() {
    const sim = yield* PveSim
    yield* sim.change({ _tag: "guest.status", vmid: 9999, status: "running" })
    yield* sim.change({ _tag: "guest.stubborn", vmid: 9999, stubborn: true })
    const shutdown = upidOf(yield* ask("POST", `${guest}/status/shutdown`, "timeout=30"))
    yield* TestClock.adjust("1 second")
    const stop = upidOf(yield* ask("POST", `${guest}/status/stop`, "overrule-shutdown=1"))
    yield* TestClock.adjust("2 seconds")
    expect((yield* statusOf(stop)).data).toMatchObject({ exitstatus: "OK" })
    expect((yield* statusOf(shutdown)).data).toMatchObject({ status: "stopped", exitstatus: "unexpected status" })
    expect((yield* logOf(stop)).data).toEqual([
      { n: 1, t: `overruled vzshutdown tasks: ${shutdown}` },
      { n: 2, t: "trying to acquire lock..." },
      { n: 3, t: " OK" },
      { n: 4, t: "TASK OK" }
    ])
    expect((yield* ask("GET", `${guest}/status/current`)).data).toMatchObject({ status: "stopped" })
  }).pipe(provide))

it.effect("another speed makes tasks and delays shorter", () =>
  Effect.gen(function*() {
    const upid = upidOf(yield* ask("POST", `${guest}/snapshot`, "snapname=one"))
    yield* TestClock.adjust("10 millis")
    expect((yield* statusOf(upid)).data).toMatchObject({ exitstatus: "OK" })
    const refused = yield* Effect.fork(ask("GET", "/api2/json/version", undefined, "nobody"))
    yield* TestClock.adjust("29 millis")
    expect(yield* Fiber.poll(refused)).toEqual(Option.none())
    yield* TestClock.adjust("1 millis")
    expect((yield* Fiber.join(refused)).status).toBe(401)
  }).pipe(Effect.provide(PveSim.layer({ secrets, speed: 100 }))))
