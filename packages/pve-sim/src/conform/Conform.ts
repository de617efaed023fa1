import type { FileSystem, Path } from "@effect/platform"
import { Console, Effect } from "effect"
import { PveSim } from "../PveSim.ts"
import { readScenario, type Scenario, type ScenarioError } from "./Recording.ts"
import { Renames } from "./Renames.ts"
import { makeReplay, secretOf } from "./Replay.ts"
import { rootChanges } from "./RootCommand.ts"
import { makeVirtualClock } from "./VirtualClock.ts"

/** What came of playing a scenario. */
export interface Conformance {
  /** In the order of the recordings; an exchange without differences conforms. */
  readonly exchanges: ReadonlyArray<{
    readonly n: number
    readonly slug: string
    readonly differences: ReadonlyArray<string>
  }>
  /** What root did on the real host that could not be done here, each as `before N: command: why`. */
  readonly undone: ReadonlyArray<string>
  /** Names that the recorded host made up, and those that stand for them here. */
  readonly renamed: ReadonlyArray<readonly [recorded: string, simulated: string]>
}

export const conforming = ({ exchanges }: Conformance): number =>
  exchanges.filter(({ differences }) => differences.length === 0).length

/** How long the recorder waited, where a note tells: `0.2 s after the POST`, `started again, 3 s pause`. */
const waited = (what: string): number =>
  Number(/(\d+(?:\.\d+)?) s (?:after|pause)/.exec(what)?.[1] ?? /slept (\d+(?:\.\d+)?) s/.exec(what)?.[1] ?? "0") * 1000

/** Plays all exchanges in their recorded time against a host of their own, with root's changes in between. */
export const play = (scenario: Scenario): Effect.Effect<Conformance> => {
  const { outOfBand, recordings, world, worldText } = scenario
  const time = makeVirtualClock(world.taken_at_unix.time * 1000)
  const renames = new Renames(worldText)
  const secrets = Object.fromEntries(
    world.tokens.map(({ tokenid }) => [tokenid, secretOf(tokenid.split("!")[1] ?? "")])
  )
  return Effect.gen(function*() {
    const sim = yield* PveSim
    const { replay } = yield* makeReplay(time, renames, { text: worldText, takenAt: world.taken_at_unix.time })
    const exchanges: Array<Conformance["exchanges"][number]> = []
    const undone: Array<string> = []
    let next = 0
    for (const recording of recordings) {
      for (let one = outOfBand[next]; one !== undefined && one.before_n <= recording.n; one = outOfBand[++next]) {
        const { changes, refused } = rootChanges(one, secretOf)
        undone.push(...refused.map((text) => `before ${one.before_n}: ${text}`))
        yield* time.advanceTo(time.now() + waited(one.what))
        for (const change of changes) {
          yield* sim.change(change).pipe(
            Effect.catchAll((error) =>
              Effect.sync(() => {
                undone.push(`before ${one.before_n}: ${one.command ?? ""}: ${error.message}`)
              })
            )
          )
        }
      }
      exchanges.push({ n: recording.n, slug: recording.slug, differences: yield* replay(recording) })
    }
    return { exchanges, undone, renamed: renames.renamed }
  }).pipe(
    Effect.provide(PveSim.layer({ world, secrets })),
    Effect.withClock(time.clock)
  )
}

/**
 * Plays the scenario in a folder, prints every difference and at last `N of M exchanges conform`. Gives whether all did; a
 * folder without exchanges is an error.
 */
export const conform = (
  folder: string
): Effect.Effect<boolean, ScenarioError, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function*() {
    const outcome = yield* play(yield* readScenario(folder))
    for (const text of outcome.undone) yield* Console.log(`not done by root: ${text}`)
    for (const { differences, n, slug } of outcome.exchanges) {
      for (const difference of differences) yield* Console.log(`${String(n).padStart(3, "0")} ${slug}: ${difference}`)
    }
    const count = conforming(outcome)
    yield* Console.log(`${count} of ${outcome.exchanges.length} exchanges conform`)
    return count === outcome.exchanges.length
  })
