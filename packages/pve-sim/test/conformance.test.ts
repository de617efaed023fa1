import { NodeContext } from "@effect/platform-node"
import { it } from "@effect/vitest"
import { play } from "@felhom/pve-sim/conform/Conform"
import { readScenario } from "@felhom/pve-sim/conform/Recording"
import { Effect } from "effect"
import { fileURLToPath } from "node:url"
import { expect } from "vitest"

const folder = (name: string): string => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url))

const played = (name: string) =>
  Effect.flatMap(readScenario(folder(name)), play).pipe(Effect.provide(NodeContext.layer))

it.live("answers a recorded day of a real host as that host did", () =>
  Effect.gen(function*() {
    const { exchanges, renamed, undone } = yield* played("scenario")
    expect(exchanges.filter(({ differences }) => differences.length > 0)).toEqual([])
    expect(exchanges.length).toBe(414)
    expect(undone).toEqual([])
    // Nothing random stands in these configurations, so their digests are the recorded ones to the last bit.
    expect(renamed.filter(([recorded]) => /^[0-9a-f]{40}$/.test(recorded))).toEqual([])
  }), 120_000)

it.live(
  "answers single questions about rights, features, cards, locks, restores, full disks, tasks and certificates as a real host does",
  () =>
    Effect.gen(function*() {
      const { exchanges, undone } = yield* played("checks")
      expect(exchanges.filter(({ differences }) => differences.length > 0)).toEqual([])
      expect(exchanges.length).toBe(580)
      expect(undone).toEqual([])
    }),
  120_000
)
