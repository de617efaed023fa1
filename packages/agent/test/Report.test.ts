import { describe, it } from "@effect/vitest"
import { eventsPerReport, inventoryHash, makeReport } from "@felhom/agent/Report"
import type { HostEvent } from "@felhom/domain/HostEvent"
import { HostEpoch, HostId } from "@felhom/domain/HostId"
import { HostReport, type Inventory } from "@felhom/domain/HostReport"
import { NodeName, StorageId, Vmid } from "@felhom/domain/ProxmoxId"
import { sectionOk, sectionUnavailable } from "@felhom/domain/Section"
import type { Sha256Hex } from "@felhom/domain/Sha256"
import { EpochMillis } from "@felhom/domain/Time"
import * as NodeCrypto from "@felhom/node/NodeCrypto"
import type { Observation } from "@felhom/reconciler/Observation"
import { Effect, Schema } from "effect"
import { expect } from "vitest"

const unread = sectionUnavailable("not in this test")

const inventory = (readAt: number, active = true): Inventory => ({
  guests: unread,
  storages: sectionOk(EpochMillis.make(readAt), [
    { storage: StorageId.make("local"), type: "dir", content: ["backup"], shared: false, enabled: true, active }
  ]),
  disks: unread,
  policyHash: null,
  desired: null,
  hold: false
})

const observation = (readAt: number): Observation => ({
  takenAt: EpochMillis.make(readAt),
  proxmox: { state: "ok" },
  pveVersion: "9.2.11",
  kernel: null,
  inventory: inventory(readAt),
  samples: { node: unread, guests: unread, temperatures: unread },
  sections: { storage: unread, backup: unread, restore: unread, pbs: unread, audit: unread }
})

const event = (seq: number): HostEvent => ({
  seq,
  at: EpochMillis.make(0),
  kind: "guest.changed",
  severity: "info",
  subject: null,
  message: String(seq)
})

const report = (held: Sha256Hex | null, readAt = 1, events: ReadonlyArray<HostEvent> = []) =>
  makeReport({
    reporter: {
      id: HostId.make("0".repeat(32)),
      epoch: HostEpoch.make("1".repeat(32)),
      node: NodeName.make("demo"),
      bootId: null
    },
    observation: observation(readAt),
    sequence: 1,
    events,
    eventsDropped: 0,
    held
  }).pipe(Effect.provide(NodeCrypto.layer))

describe("a report", () => {
  it.effect("is what the schema says, and reads back as it was written", () =>
    Effect.gen(function*() {
      const made = yield* report(null)
      const wire = yield* Schema.encode(Schema.parseJson(HostReport))(made)
      expect(yield* Schema.decode(Schema.parseJson(HostReport))(wire)).toEqual(made)
    }))

  it.effect("leaves the inventory out while the hub holds it, however often it was read since", () =>
    Effect.gen(function*() {
      const first = yield* report(null, 1)
      expect(first.inventory).not.toBeNull()
      expect((yield* report(first.inventoryHash, 2)).inventory).toBeNull()
    }))

  it.effect("has another hash when anything but the time of reading changed", () =>
    Effect.gen(function*() {
      const hashes = yield* Effect.all([inventoryHash(inventory(1, true)), inventoryHash(inventory(2, false))])
      expect(new Set(hashes).size).toBe(2)
    }).pipe(Effect.provide(NodeCrypto.layer)))

  it.effect("has the hash of all that the inventory says, whatever a guest's name looks like", () =>
    Effect.gen(function*() {
      const names = ["plain", "\"readAt\":1,", "\\\"readAt\":1,", "x\",\"readAt\":7,\"y", "\\"]
      const named = (name: string, readAt: number): Inventory => ({
        ...inventory(readAt),
        guests: sectionOk(EpochMillis.make(readAt), [{
          type: "lxc",
          vmid: Vmid.make(101),
          name,
          status: "running",
          template: false,
          lock: null,
          tags: names,
          cpus: 1,
          memory: 1,
          disk: 1,
          config: unread,
          snapshots: sectionOk(EpochMillis.make(readAt), [])
        }])
      })
      const hashes: Array<string> = []
      for (const name of names) {
        const whole = named(name, 123)
        const said = JSON.stringify(whole, (key, value: unknown) => (key === "readAt" ? undefined : value))
        const hash = yield* inventoryHash(whole)
        expect(hash).toBe(yield* NodeCrypto.crypto.sha256(said))
        expect(yield* inventoryHash(named(name, 4_567))).toBe(hash)
        hashes.push(hash)
      }
      expect(new Set(hashes).size).toBe(names.length)
    }).pipe(Effect.provide(NodeCrypto.layer)))

  it.effect("takes the oldest events along when there are more than travel at once", () =>
    Effect.gen(function*() {
      const many = Array.from({ length: eventsPerReport + 1 }, (_, index) => event(index + 1))
      const made = yield* report(null, 1, many)
      expect([made.events.length, made.events[0]?.seq]).toEqual([eventsPerReport, 1])
    }))
})
