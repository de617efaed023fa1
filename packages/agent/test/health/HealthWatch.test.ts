import { describe, it } from "@effect/vitest"
import * as HealthWatch from "@felhom/agent/health/HealthWatch"
import type { HealthLine } from "@felhom/domain/Health"
import { HostEpoch, HostId } from "@felhom/domain/HostId"
import { DurableFile, DurableFileError } from "@felhom/domain/port/DurableFile"
import { NodeName, TokenId } from "@felhom/domain/ProxmoxId"
import type { NewEvent } from "@felhom/durable/StateFile"
import { StateFile } from "@felhom/durable/StateFile"
import * as NodeCrypto from "@felhom/node/NodeCrypto"
import { Privileged, PrivilegedError } from "@felhom/privileged/Privileged"
import * as PrivilegedSocket from "@felhom/privileged/PrivilegedSocket"
import * as ProxmoxClient from "@felhom/proxmox/ProxmoxClient"
import { ProxmoxConfig } from "@felhom/proxmox/ProxmoxConfig"
import * as InProcessFront from "@felhom/pve-sim/InProcessFront"
import { PveSim } from "@felhom/pve-sim/PveSim"
import * as RootDisks from "@felhom/pve-sim/RootDisks"
import * as Observer from "@felhom/reconciler/Observer"
import { agentPrivileges } from "@felhom/reconciler/Rights"
import { Effect, Layer, Option, Redacted } from "effect"
import * as TestClock from "effect/TestClock"
import { expect } from "vitest"

const tokenId = TokenId.make("felhom-agent@pve!agent")
const secret = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"

class TestDisk {
  readonly files = new Map<string, Uint8Array>()
  readonly events: Array<NewEvent> = []
  isFull = false

  get told(): ReadonlyArray<string> {
    return this.events.map(({ kind, message, severity }) => `${kind} ${severity}: ${message}`)
  }

  readonly layer = Layer.merge(
    Layer.succeed(DurableFile, {
      read: (path) => Effect.sync(() => Option.fromNullable(this.files.get(path))),
      replace: (path, content) =>
        Effect.suspend(() =>
          this.isFull
            ? new DurableFileError({ operation: "replace", path, code: "ENOSPC", detail: "no space left on device" })
            : Effect.sync(() => void this.files.set(path, content))
        )
    }),
    Layer.mock(StateFile, {
      host: { id: HostId.make("1".repeat(32)), epoch: HostEpoch.make("2".repeat(32)) },
      record: (events) => Effect.sync(() => void this.events.push(...events))
    })
  )
}

const overSockets = Layer.effect(
  Privileged,
  Effect.map(
    RootDisks.RootDisks,
    ({ mount, smart }) => PrivilegedSocket.make({ exchange: (verb, line) => (verb === "mount" ? mount : smart)(line) })
  )
)

const noRootSide = Layer.mock(Privileged, {
  smart: () =>
    new PrivilegedError({
      verb: "smart",
      reason: "unavailable",
      detail: "there is no smartctl: apt install smartmontools"
    }),
  mount: () => new PrivilegedError({ verb: "mount", reason: "unavailable", detail: "absent" })
})

/** A disk that neither answers nor ever ends. */
const neverAnswering = Layer.mock(Privileged, {
  smart: ({ action }) => action === "sensors" ? Effect.succeed({ action, temperatures: [] }) : Effect.never,
  mount: () => Effect.never
})

const world = (disk: TestDisk, root: Layer.Layer<Privileged, never, RootDisks.RootDisks> = overSockets) => {
  const sim = PveSim.layer({ secrets: { [tokenId]: secret }, roles: { FelhomAgent: agentPrivileges } })
  const config = Layer.effect(
    ProxmoxConfig,
    Effect.map(PveSim, ({ node }) => ({
      url: new URL("https://demo.example:8006"),
      node: NodeName.make(node),
      tokenId,
      secret: Redacted.make(secret)
    }))
  )
  return Observer.layer.pipe(
    Layer.provideMerge(Layer.mergeAll(
      Layer.provide(ProxmoxClient.layer, Layer.merge(InProcessFront.layer, config)),
      root,
      NodeCrypto.layer,
      disk.layer
    )),
    Layer.provideMerge(RootDisks.layer),
    Layer.provideMerge(sim)
  )
}

const dying = {
  path: "/dev/sdb",
  serial: "WD1",
  uuid: "1741368e-c387-42cc-8971-e25211e7e768",
  fstype: "ext4",
  label: null,
  size: 1_000_204_886_016,
  bad: { reallocated: 0, pending: 0, uncorrectable: 0 },
  passed: true,
  celsius: 34
}

const watching = Effect.gen(function*() {
  const watch = yield* HealthWatch.make("/state", Effect.succeed([]))
  const observer = yield* Observer.Observer
  const { plug } = yield* RootDisks.RootDisks
  const see = Effect.flatMap(observer.observe, watch.saw)
  const lines = (section: { readonly state: string; readonly value?: { readonly lines: ReadonlyArray<HealthLine> } }) =>
    section.value?.lines ?? []
  const line = (name: string) => Effect.map(watch.look, (section) => lines(section).find((one) => one.name === name))
  return { watch, see, line, plug }
})

describe("what looks after a host's health", () => {
  it.effect("knows nothing before it has looked, looks some minutes after the start, and then every few hours", () => {
    const disk = new TestDisk()
    return Effect.gen(function*() {
      const { see, watch } = yield* watching
      expect(yield* watch.section).toEqual({
        state: "unavailable",
        reason: expect.stringContaining("has not looked yet")
      })
      yield* Effect.forkScoped(watch.run)
      yield* TestClock.adjust("1 hour")
      expect((yield* watch.section).state).toBe("unavailable")
      yield* see
      yield* TestClock.adjust("3 minutes")
      const first = yield* watch.section
      expect(first).toMatchObject({ state: "ok", value: { omitted: 0 } })
      expect(disk.files.has("/state/health.json")).toBe(true)
      yield* TestClock.adjust("5 hours")
      const second = yield* watch.section
      expect(second.state === "ok" && first.state === "ok" && second.readAt > first.readAt).toBe(true)
      expect(disk.told).toEqual([])
    }).pipe(Effect.scoped, Effect.provide(world(disk)))
  })

  it.effect("follows a disk that dies, from its first bad sectors on, and tells each change once", () => {
    const disk = new TestDisk()
    return Effect.gen(function*() {
      const { line, plug, see } = yield* watching
      const looks = (times: number) =>
        Effect.repeatN(Effect.zipRight(TestClock.adjust("1 hour"), line("/dev/sdb")), times - 1)
      yield* plug(dying)
      yield* see
      expect(yield* line("/dev/sdb")).toMatchObject({ state: "ok", id: "WD1", reasons: [] })
      yield* TestClock.adjust("1 day")
      yield* plug({ ...dying, bad: { ...dying.bad, reallocated: 8 } })
      yield* see
      expect(yield* looks(2)).toMatchObject({ state: "warn" })
      yield* TestClock.adjust("2 days")
      yield* plug({ ...dying, bad: { ...dying.bad, reallocated: 16 } })
      yield* see
      expect(yield* looks(2)).toMatchObject({
        state: "fail",
        reasons: [expect.stringContaining("16 reallocated sectors, 16 more")]
      })
      expect(disk.told).toEqual([
        "health.changed warning: disk /dev/sdb (WD1): ok -> warn: it has 8 reallocated sectors, 8 more than 1 day ago",
        expect.stringContaining(
          "health.changed warning: disk /dev/sdb (WD1): warn -> fail: it has 16 reallocated sectors, 16 more"
        )
      ])
    }).pipe(Effect.provide(world(disk)))
  })

  it.effect("looks again soon while it is in doubt", () => {
    const disk = new TestDisk()
    return Effect.gen(function*() {
      const { plug, see, watch } = yield* watching
      yield* plug({ ...dying, passed: false })
      yield* see
      yield* Effect.forkScoped(watch.run)
      yield* TestClock.adjust("3 minutes")
      expect(disk.told).toEqual([])
      yield* TestClock.adjust("20 minutes")
      expect(disk.told).toEqual([
        "health.changed warning: disk /dev/sdb (WD1): unknown -> fail: it says that it is failing: save what is on it, and replace it"
      ])
    }).pipe(Effect.scoped, Effect.provide(world(disk)))
  })

  it.effect("goes on where it was after a restart, and from memory while its folder can't be written", () => {
    const disk = new TestDisk()
    return Effect.gen(function*() {
      const first = yield* watching
      yield* first.plug({ ...dying, bad: { ...dying.bad, pending: 3 } })
      yield* first.see
      yield* first.line("/dev/sdb")
      const second = yield* watching
      disk.isFull = true
      yield* second.see
      expect(yield* second.line("/dev/sdb")).toMatchObject({ state: "warn" })
      yield* TestClock.adjust("1 hour")
      expect(yield* second.line("/dev/sdb")).toMatchObject({ state: "warn", since: 0 })
    }).pipe(Effect.provide(world(disk)))
  })

  it.effect("says why it is not known where smartctl is missing, and of a virtual disk", () => {
    const disk = new TestDisk()
    return Effect.gen(function*() {
      const { line, plug, see } = yield* watching
      yield* plug(dying)
      yield* see
      expect(yield* line("/dev/sdb")).toMatchObject({
        state: "unknown",
        reasons: [expect.stringContaining("apt install smartmontools")]
      })
      // Proxmox's own word counts where it is a bad one.
      yield* plug({ ...dying, passed: false })
      yield* TestClock.adjust("11 minutes")
      yield* see
      yield* line("/dev/sdb")
      expect(yield* line("/dev/sdb")).toMatchObject({
        state: "fail",
        reasons: [expect.stringContaining("Proxmox VE says FAILED!")]
      })
    }).pipe(Effect.provide(world(disk, noRootSide)))
  })

  it.effect("has a disk that does not answer as a line of its own", () => {
    const disk = new TestDisk()
    return Effect.gen(function*() {
      const { line, plug, see } = yield* watching
      yield* plug({ ...dying, passed: null })
      yield* see
      yield* line("/dev/sdb")
      expect(yield* line("/dev/sdb")).toMatchObject({
        state: "warn",
        reasons: [expect.stringContaining("it did not answer within 10 s, as a dying disk")]
      })
    }).pipe(Effect.provide(world(disk)))
  })

  it.effect("never holds up the loop, though a disk never answers", () => {
    const disk = new TestDisk()
    return Effect.gen(function*() {
      const { plug, see, watch } = yield* watching
      yield* plug(dying)
      yield* see
      yield* Effect.forkScoped(watch.run)
      yield* TestClock.adjust("1 day")
      yield* see
      expect(yield* watch.section).toEqual({
        state: "unavailable",
        reason: expect.stringContaining("has not looked yet")
      })
    }).pipe(Effect.scoped, Effect.provide(world(disk, neverAnswering)))
  })
})
