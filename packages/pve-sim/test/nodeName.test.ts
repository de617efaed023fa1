import { it } from "@effect/vitest"
import { renamed } from "@felhom/pve-sim/World"
import { Effect } from "effect"
import { expect } from "vitest"
import { recordedWorld } from "./recordedWorld.ts"

it.effect("a host under another name is called that in its tasks, too, and nobody else is", () =>
  Effect.gen(function*() {
    const recorded = yield* recordedWorld
    const world = yield* renamed(recorded, "attic")
    expect(world.node).toBe("attic")
    expect(world.cluster_tasks_at_start.length).toBeGreaterThan(0)
    expect(world.cluster_tasks_at_start.every(({ upid }) => upid.startsWith("UPID:attic:"))).toBe(true)
    expect(world.tokens).toEqual(recorded.tokens)
    expect(world.guests).toEqual(recorded.guests)
  }))
