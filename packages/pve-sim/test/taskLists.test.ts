import { it } from "@effect/vitest"
import { agentPrivileges } from "@felhom/pve-sim/AccessControl"
import { PveSim } from "@felhom/pve-sim/PveSim"
import { Clock, Effect, Layer, TestClock } from "effect"
import { expect } from "vitest"
import { ask, logOf, node, secrets, statusOf, upidOf } from "./Asking.ts"
import { recordedWorld } from "./recordedWorld.ts"

// A host on which nothing has happened yet.
const provide = Effect.provide(Layer.unwrapEffect(
  Effect.map(recordedWorld, (world) =>
    PveSim.layer({
      secrets,
      world: { ...world, cluster_tasks_at_start: [] },
      roles: { FelhomAgent: agentPrivileges }
    }))
))

const listed = (query: string, token?: string) =>
  Effect.map(
    ask("GET", `${node}/tasks?${query}`, undefined, token),
    ({ data }) => Array.isArray(data) ? data.map(({ upid }: { upid: string }) => upid) : []
  )

/** Three tasks, a minute apart: a snapshot that goes well, one that fails, and a shutdown that still runs. */
const threeTasks = Effect.gen(function*() {
  yield* TestClock.adjust("1 day")
  const snapshot = (vmid: number) => ask("POST", `${node}/lxc/${vmid}/snapshot`, "snapname=one")
  const began = Math.floor((yield* Clock.currentTimeMillis) / 1000)
  const good = upidOf(yield* snapshot(9999))
  yield* TestClock.adjust("1 minute")
  const bad = upidOf(yield* snapshot(101))
  yield* TestClock.adjust("1 minute")
  const sim = yield* PveSim
  yield* sim.change({ _tag: "guest.status", vmid: 9999, status: "running" })
  yield* sim.change({ _tag: "guest.stubborn", vmid: 9999, stubborn: true })
  const running = upidOf(yield* ask("POST", `${node}/lxc/9999/status/shutdown`, "timeout=600"))
  yield* TestClock.adjust("1 second")
  return { began, good, bad, running }
})

it.effect("tasks are filtered by guest, type, outcome, time and source", () =>
  Effect.gen(function*() {
    const { bad, began, good, running } = yield* threeTasks
    const since = `since=${began}`
    expect(yield* listed(`${since}&source=all&typefilter=vzsnapshot`)).toEqual([bad, good])
    expect(yield* listed(`${since}&source=all&vmid=101`)).toEqual([bad])
    expect(yield* listed(`${since}&source=active`)).toEqual([running])
    expect(yield* listed(`${since}&typefilter=vzshutdown`)).toEqual([])
    expect(yield* listed(`${since}&source=archive&errors=1`)).toEqual([bad])
    // How a running one ends nobody knows, so it counts as what may have gone wrong.
    expect(yield* listed(`${since}&source=all&errors=1`)).toEqual([running, bad])
    expect(yield* listed(`${since}&source=all&statusfilter=error,warning`)).toEqual([bad])
    expect(yield* listed(`${since}&statusfilter=ok&typefilter=vzsnapshot`)).toEqual([good])
    expect(yield* listed(`${since}&source=all&until=${began + 30}`)).toEqual([good])
    expect(yield* listed(`since=${began + 30}&source=all&typefilter=vzsnapshot`)).toEqual([bad])
    expect(yield* listed(`${since}&source=all&userfilter=FELHOM&typefilter=vzsnapshot`)).toEqual([bad, good])
    expect(yield* listed(`${since}&source=all&userfilter=root&typefilter=vzsnapshot`)).toEqual([])
  }).pipe(provide))

it.effect("a list is paged, and its total counts what the filter lets through", () =>
  Effect.gen(function*() {
    const { bad, began, good } = yield* threeTasks
    const filter = `since=${began}&source=all&typefilter=vzsnapshot`
    expect(yield* listed(`${filter}&limit=1`)).toEqual([bad])
    expect(yield* listed(`${filter}&limit=1&start=1`)).toEqual([good])
    expect(yield* listed(`${filter}&start=2`)).toEqual([])
    expect((yield* ask("GET", `${node}/tasks?statusfilter=fine`)).errors)
      .toEqual({ statusfilter: "invalid format - invalid status 'fine'\n" })
  }).pipe(provide))

it.effect("without Sys.Audit a token sees its own tasks only, and reads no other's", () =>
  Effect.gen(function*() {
    const { began, good } = yield* threeTasks
    yield* (yield* PveSim).change({
      _tag: "role.set",
      roleid: "FelhomAudit",
      privs: ["VM.Audit"]
    })
    expect(yield* listed(`since=${began}&source=all`, "audit")).toEqual([])
    expect((yield* ask("GET", `${node}/tasks/${encodeURIComponent(good)}/log`, undefined, "audit")).reason)
      .toBe("Permission check failed (/nodes/demo-felhom, Sys.Audit)")
    expect((yield* ask("DELETE", `${node}/tasks/${encodeURIComponent(good)}`, undefined, "audit")).reason)
      .toBe("Permission check failed (/nodes/demo-felhom, Sys.Modify)")
  }).pipe(provide))

it.effect("a task that has expired has no status any more, and a log that says so with 200", () =>
  Effect.gen(function*() {
    const { began, good } = yield* threeTasks
    yield* (yield* PveSim).change({ _tag: "task.expire", before: began + 30 })
    expect((yield* statusOf(good)).errors).toEqual({ upid: "no such task" })
    expect(yield* logOf(good)).toMatchObject({
      status: 200,
      data: [{ n: 1, t: "unable to open file - No such file or directory" }]
    })
    expect((yield* statusOf("UPID:x")).errors).toEqual({ upid: "unable to parse worker upid" })
  }).pipe(provide))

it.effect("a log is read in parts", () =>
  Effect.gen(function*() {
    const { bad } = yield* threeTasks
    const upid = upidOf(yield* ask("POST", `${node}/vzdump`, "vmid=102&storage=local"))
    yield* TestClock.adjust("1 minute")
    const part = (query: string) =>
      Effect.map(
        ask("GET", `${node}/tasks/${encodeURIComponent(upid)}/log?${query}`),
        ({ data }) => Array.isArray(data) ? data.map(({ n }: { n: number }) => n) : []
      )
    expect(yield* part("start=1&limit=2")).toEqual([2, 3])
    expect((yield* part("limit=0")).length).toBeGreaterThan(3)
    expect((yield* logOf(bad)).data).toEqual([{ n: 1, t: "TASK ERROR: snapshot feature is not available" }])
  }).pipe(provide))
