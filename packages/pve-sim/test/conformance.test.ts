import { it } from "@effect/vitest"
import { PveSim } from "@felhom/pve-sim/PveSim"
import { Effect } from "effect"
import { expect } from "vitest"
import { recordedWorld, scenario } from "./Recording.ts"
import { makeReplay, secretOf } from "./Replay.ts"
import { outOfScope, rootChanges } from "./scenarioNotes.ts"
import { makeVirtualClock } from "./VirtualClock.ts"

const secrets = Object.fromEntries(
  recordedWorld.tokens.map(({ tokenid }) => [tokenid, secretOf(tokenid.split("!")[1] ?? "")])
)

it.live("answers a recorded day of a real host as that host did", () =>
  Effect.gen(function*() {
    const time = makeVirtualClock(recordedWorld.taken_at_unix.time * 1000)
    const found = yield* Effect.gen(function*() {
      const { change, replay } = yield* makeReplay(time)
      const found = new Map<string, ReadonlyArray<string>>()
      for (const recording of scenario) {
        for (const one of rootChanges.get(recording.n) ?? []) yield* change(one)
        found.set(recording.slug, yield* replay(recording))
      }
      return found
    }).pipe(Effect.provide(PveSim.layer({ secrets })), Effect.withClock(time.clock))

    const wrong = Array.from(found).filter(([slug, differences]) => differences.length > 0 && !outOfScope.has(slug))
    expect(wrong.map(([slug, differences]) => [slug, ...differences])).toEqual([])
    // What is called out of scope must really be: a list that outlives its reason hides the next fault.
    const conforming = Array.from(outOfScope.keys()).filter((slug) => found.get(slug)?.length === 0)
    expect(conforming).toEqual([])
    expect(Array.from(outOfScope.keys()).filter((slug) => !found.has(slug))).toEqual([])
    expect(found.size - outOfScope.size).toBeGreaterThan(250)
  }), 60_000)
