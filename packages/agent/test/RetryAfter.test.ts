import { it } from "@effect/vitest"
import { cycle, freshMemory } from "@felhom/agent/Cycle"
import { longestRetryMillis } from "@felhom/agent/Pace"
import { DurableFile } from "@felhom/domain/port/DurableFile"
import { NodeName } from "@felhom/domain/ProxmoxId"
import { sectionUnavailable } from "@felhom/domain/Section"
import { EpochMillis } from "@felhom/domain/Time"
import * as StateFile from "@felhom/durable/StateFile"
import { HubClient } from "@felhom/hub-client/HubClient"
import { HubError } from "@felhom/hub-client/HubError"
import * as NodeCrypto from "@felhom/node/NodeCrypto"
import type { Observation } from "@felhom/reconciler/Observation"
import { Observer } from "@felhom/reconciler/Observer"
import { Effect, Layer } from "effect"
import { expect } from "vitest"

const unread = sectionUnavailable("not in this test")

const observation: Observation = {
  takenAt: EpochMillis.make(0),
  proxmox: { state: "ok" },
  pveVersion: null,
  kernel: null,
  inventory: { guests: unread, storages: unread, disks: unread, policyHash: null, desired: null, hold: false },
  samples: { node: unread, guests: unread, temperatures: unread },
  sections: { storage: unread, backup: unread, restore: unread, pbs: unread, audit: unread }
}

const observer = Layer.succeed(Observer, { observe: Effect.succeed(observation) })

const busyHub = (retryAfterSeconds: number) =>
  Layer.succeed(HubClient, {
    exchange: () =>
      new HubError({ reason: "unavailable", hub: "https://hub", detail: "slowly", mismatch: null, retryAfterSeconds })
  })

const state = StateFile.layer("/state").pipe(
  Layer.provide(Layer.succeed(DurableFile, { read: () => Effect.succeedNone, replace: () => Effect.void }))
)

const dueAfter = (retryAfterSeconds: number) =>
  cycle({ node: NodeName.make("demo"), bootId: null }, freshMemory).pipe(
    Effect.map(({ hubDueAt }) => hubDueAt),
    Effect.provide(Layer.provideMerge(Layer.mergeAll(observer, busyHub(retryAfterSeconds), state), NodeCrypto.layer))
  )

it.effect("a hub that asks to be left alone for longer than the agent would wait is left alone for so long", () =>
  Effect.gen(function*() {
    expect(yield* dueAfter(900)).toBe(900_000)
    expect(yield* dueAfter(1)).toBeGreaterThanOrEqual(30_000)
    expect(yield* dueAfter(1)).toBeLessThanOrEqual(longestRetryMillis)
    expect(yield* dueAfter(1_000_000)).toBe(3_600_000)
  }))
