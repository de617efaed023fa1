import { describe, it } from "@effect/vitest"
import { selftestTask } from "@felhom/agent/selftest/SelftestTask"
import type { Vmid } from "@felhom/domain/ProxmoxId"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import { PveSim } from "@felhom/pve-sim/PveSim"
import { agentPrivileges } from "@felhom/reconciler/Rights"
import { Effect, Fiber, type Layer, TestClock } from "effect"
import { expect } from "vitest"
import { guest, host, type HostOptions, passing, stepsOf, type Tamper } from "./SimulatedHost.ts"

const tiny = { type: "lxc", vmid: guest.tiny } as const

const task = (vmid: Vmid, options: { readonly allowRunning?: boolean } = {}) =>
  stepsOf(selftestTask(vmid, { allowRunning: options.allowRunning ?? false }))

/** The guest as the selftest must leave it. */
const state = Effect.gen(function*() {
  const client = yield* ProxmoxClient
  const { digest: _, parent: __, ...config } = yield* client.guestConfig(tiny)
  return {
    config,
    snapshots: (yield* client.snapshots(tiny)).rows.map(({ name }) => name),
    status: (yield* client.guestStatus(tiny)).status
  }
})

/** All changing requests that the host saw. */
const writes = Effect.gen(function*() {
  const sim = yield* PveSim
  return (yield* sim.requests).filter(({ method }) => method !== "GET")
})

const onHost = <A, E>(options: HostOptions, use: Effect.Effect<A, E, Layer.Layer.Success<ReturnType<typeof host>>>) =>
  use.pipe(Effect.provide(host(options)))

/** Lets the tasks of one type end with another status than they did. */
const ending = (type: string, status: string): Tamper => (path, body) =>
  path.includes(`:${type}:`) && path.endsWith("/status")
    ? body.replace("\"exitstatus\":\"OK\"", `"exitstatus":"${status}"`)
    : body

describe("selftest task", () => {
  it.effect("takes a snapshot, rolls back, deletes it, and leaves the guest as it was", () =>
    Effect.gen(function*() {
      const before = yield* passing(state)
      expect(yield* task(guest.tiny)).toEqual([
        "passed guest: lxc/9999 (tiny) is stopped, and can be snapshotted",
        "passed snapshot: exit status OK",
        "passed rollback: exit status OK",
        "passed delete snapshot: exit status OK",
        "passed write a marker: written to the description, and read back",
        "passed restore: the description is as it was",
        "passed permissions: the token felhom-agent@pve!agent holds all that the agent needs"
      ])
      expect(yield* passing(state)).toEqual(before)
    }).pipe(Effect.provide(host())))

  it.effect("takes a description away again where there was none", () =>
    Effect.gen(function*() {
      const sim = yield* PveSim
      yield* sim.change({ _tag: "guest.set", vmid: guest.tiny, key: "description", value: null })
      const steps = yield* task(guest.tiny)
      expect(steps).toContainEqual("passed restore: the description is gone again, as it was")
      expect("description" in (yield* passing(state)).config).toBe(false)
    }).pipe(Effect.provide(host())))

  it.effect("refuses a running guest, and with --allow-running has it run again afterwards", () =>
    Effect.gen(function*() {
      const sim = yield* PveSim
      yield* sim.change({ _tag: "guest.status", vmid: guest.tiny, status: "running" })
      const refused = yield* task(guest.tiny)
      expect(refused).toHaveLength(1)
      expect(refused[0]).toContain("--allow-running")
      expect(yield* writes).toEqual([])
      const allowed = yield* task(guest.tiny, { allowRunning: true })
      expect(allowed.filter((step) => step.startsWith("failed"))).toEqual(refused)
      expect(allowed).toContainEqual("note put back: the guest runs again")
      expect((yield* passing(state)).status).toBe("running")
    }).pipe(Effect.provide(host())))

  it.effect("never touches a snapshot of its name that was there before", () =>
    Effect.gen(function*() {
      const sim = yield* PveSim
      yield* sim.change({ _tag: "guest.snapshot", vmid: guest.tiny, name: "felhom-selftest", description: "precious" })
      const steps = yield* task(guest.tiny)
      expect(steps).toHaveLength(1)
      expect(steps[0]).toContain("pct delsnapshot 9999 felhom-selftest")
      expect(yield* writes).toEqual([])
      expect((yield* passing(state)).snapshots).toEqual(["felhom-selftest"])
    }).pipe(Effect.provide(host())))

  it.effect("refuses, before it touches anything, what can't be tested on", () =>
    Effect.gen(function*() {
      const refusals: ReadonlyArray<readonly [Vmid, string]> = [
        [guest.onDirectory, "can't be snapshotted"],
        [guest.bindMount, "can't be snapshotted"]
      ]
      for (const [vmid, why] of refusals) {
        const steps = yield* task(vmid)
        expect(steps.at(-1)).toContain(why)
      }
      const sim = yield* PveSim
      yield* sim.change({ _tag: "guest.set", vmid: guest.tiny, key: "lock", value: "backup" })
      expect((yield* task(guest.tiny)).at(-1)).toContain("locked (backup)")
      expect(yield* writes).toEqual([])
    }).pipe(Effect.provide(host())))

  for (const privilege of ["VM.Audit", "VM.Config.Options", "VM.Snapshot", "VM.Snapshot.Rollback"] as const) {
    it.effect(`fails without ${privilege}, says how to give it, and has touched nothing`, () =>
      onHost(
        { privileges: agentPrivileges.filter((one) => one !== privilege) },
        Effect.gen(function*() {
          const steps = yield* task(guest.tiny)
          expect(steps).toHaveLength(1)
          expect(steps[0]).toContain(privilege)
          expect(yield* writes).toEqual([])
        })
      ))
  }

  for (const privilege of ["VM.Backup", "Datastore.Allocate", "SDN.Use"] as const) {
    it.effect(`does its work without ${privilege}, which it does not need itself, and fails for the agent's sake`, () =>
      onHost(
        { privileges: agentPrivileges.filter((one) => one !== privilege) },
        Effect.gen(function*() {
          const steps = yield* task(guest.tiny)
          expect(steps).toContainEqual("passed restore: the description is as it was")
          expect(steps.at(-1)).toContain(`failed permissions: the token felhom-agent@pve!agent lacks ${privilege}`)
        })
      ))
  }

  it.effect("fails at a warning, which is not OK, and still takes away what it made", () =>
    onHost(
      { tamper: ending("vzsnapshot", "WARNINGS: 1") },
      Effect.gen(function*() {
        const before = yield* passing(state)
        const steps = yield* task(guest.tiny)
        expect(steps[1]).toContain("failed snapshot: the task was done, but ended with WARNINGS: 1")
        expect(steps.at(-1)).toBe("note put back: no snapshot felhom-selftest is left")
        expect(yield* passing(state)).toEqual(before)
      })
    ))

  it.effect("takes away the snapshot when the rollback fails", () =>
    onHost(
      { tamper: ending("vzrollback", "CT is locked (backup)") },
      Effect.gen(function*() {
        const before = yield* passing(state)
        const steps = yield* task(guest.tiny)
        expect(steps[2]).toContain("failed rollback: the task failed: CT is locked (backup)")
        expect(steps.at(-1)).toBe("note put back: no snapshot felhom-selftest is left")
        expect(yield* passing(state)).toEqual(before)
      })
    ))

  it.effect("leaves a snapshot that it can't prove to be its own, and says how to remove it", () =>
    onHost(
      { tamper: ending("vzsnapshot", "unexpected status") },
      Effect.gen(function*() {
        const steps = yield* task(guest.tiny)
        expect(steps[1]).toContain("how the task ended is unknown")
        expect(steps.at(-1)).toContain("failed put back")
        expect(steps.at(-1)).toContain("by hand: pct delsnapshot 9999 felhom-selftest")
        expect((yield* passing(state)).snapshots).toEqual(["felhom-selftest"])
      })
    ))

  it.effect("restores the description when the marker does not read back", () =>
    Effect.gen(function*() {
      let reads = 0
      const lie: Tamper = (path, body) => {
        if (!path.endsWith("/lxc/9999/config") || !body.includes("felhom-selftest ")) return body
        reads++
        return reads === 1 ? body.replace(/felhom-selftest [0-9a-f]+/, "something else") : body
      }
      yield* onHost(
        { tamper: lie },
        Effect.gen(function*() {
          const before = yield* passing(state)
          const steps = yield* task(guest.tiny)
          expect(steps).toContainEqual("failed write a marker: the marker does not read back")
          expect(steps.at(-1)).toBe("note put back: the description is as it was")
          expect(yield* passing(state)).toEqual(before)
        })
      )
    }))

  it.effect("puts the guest back when it is told to stop in the middle", () =>
    Effect.gen(function*() {
      const before = yield* passing(state)
      const fiber = yield* Effect.fork(selftestTask(guest.tiny, { allowRunning: false }))
      yield* TestClock.adjust("300 millis")
      yield* passing(Fiber.interrupt(fiber))
      expect(yield* writes).not.toEqual([])
      expect(yield* passing(state)).toEqual(before)
    }).pipe(Effect.provide(host())))

  it.effect("says so when there is no such guest", () =>
    Effect.gen(function*() {
      const steps = yield* task(4711 as Vmid)
      expect(steps).toEqual([
        "failed guest: there is no guest 4711 on node demo-felhom, or the token may not see it (VM.Audit on /vms/4711)"
      ])
    }).pipe(Effect.provide(host())))
})
