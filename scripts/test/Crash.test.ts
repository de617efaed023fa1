import { describe, it } from "@effect/vitest"
import { Effect, Logger, LogLevel } from "effect"
import { fileURLToPath } from "node:url"
import { expect } from "vitest"
import { failures, kills, type Point, spendingKills } from "../crash/Campaign.ts"
import { wordKills } from "../crash/WordKills.ts"
import { wordNames } from "../crash/WordScene.ts"

const program = fileURLToPath(new URL("../../dist/crash-host.js", import.meta.url))

const quiet = Logger.minimumLogLevel(LogLevel.None)

const wrong = (points: ReadonlyArray<Point>) =>
  points.flatMap(({ step, wrongs }) => wrongs.map((one) => `${step}: ${one}`))

const steps = (points: ReadonlyArray<Point>) => new Set(points.map(({ step }) => step.replace(/\.\d+\.tmp$/, ".tmp")))

describe("an agent whose process is killed in the middle", () => {
  it.scopedLive(
    "does every op once at most, tells the truth of it, and comes up again, at 60 steps of the disk and more",
    () =>
      Effect.gen(function*() {
        const calls = yield* kills(program, { nth: 3, ways: "in turn" })
        const words = yield* wordKills(program, { nth: 4, ways: "in turn" })
        const points = [...calls, ...words]
        expect(wrong(points)).toEqual([])
        expect(points.length).toBeGreaterThanOrEqual(60)
        // What the points are about: accepting, spending, journalling, compacting, and taking in what a hub sends.
        for (
          const file of [
            "audit.log",
            "nonces.log",
            "journal.log",
            "journal.log.new",
            "accepted-signers.json",
            "accepted-desired.json",
            "accepted-policy.json",
            "state.json"
          ]
        ) {
          expect([...steps(points)].join("\n")).toContain(file)
        }
        // A harness that kills too late, or before anything is done, would see only one of them.
        const outcomes = new Set(calls.flatMap((point) => point.outcomes))
        expect([...outcomes].sort()).toEqual(["op.failed after 0", "op.finished after 1"])
        const ofWords = new Set(words.flatMap((point) => point.outcomes))
        for (const name of wordNames) expect([...ofWords]).toContain(`${name}: op.finished, done`)
        expect([...ofWords].some((outcome) => outcome.endsWith("op.failed, not done"))).toBe(true)
      }).pipe(Effect.provide(quiet)),
    600_000
  )
})

describe("a record of nonces whose process is killed while it is written anew", () => {
  it.scopedLive("holds every nonce that was answered for as spent", () =>
    Effect.gen(function*() {
      const points = yield* spendingKills(program, { nth: 2, ways: "in turn", from: "the rewrite" })
      expect(wrong(points)).toEqual([])
      const killed = points.map(({ step }) => step)
      expect(killed[0]).toBe("before open nonces.log.new")
      expect(killed.join("\n")).toContain("rename nonces.log")
      expect(points.every(({ outcomes: [outcome] }) => Number.parseInt(outcome ?? "", 10) > 10_000)).toBe(true)
    }).pipe(Effect.provide(quiet)), 600_000)
})

describe("an agent whose disk fails", () => {
  it.scopedLive("begins nothing on what it could not write, says so, and comes up again", () =>
    Effect.gen(function*() {
      const points = yield* failures({ nth: 4, ways: "in turn" })
      expect(wrong(points)).toEqual([])
      expect(points.length).toBeGreaterThanOrEqual(30)
    }).pipe(Effect.provide(quiet)), 600_000)
})
