import type { FileSystem, Path } from "@effect/platform"
import { Console, Effect, Schema } from "effect"
import { PveSim } from "../PveSim.ts"
import { OutOfBand, readScenario, type Recording, type Scenario, type ScenarioError, sentAt } from "./Recording.ts"
import { Renames } from "./Renames.ts"
import { makeReplay, secretOf } from "./Replay.ts"
import { rootChanges } from "./RootCommand.ts"
import { worldWithTokens } from "./ScenarioTokens.ts"
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

// Dates are whole seconds: what seems to overlap by less than one may not.
const answeredAt = (recording: Recording): number => sentAt(recording) + recording.response.elapsed_ms - 1000

/** How long the recorder waited, where a note tells: `0.2 s after the POST`, `started again, 3 s pause`. */
const waited = (what: string): number =>
  Number(/(\d+(?:\.\d+)?) s (?:after|pause)/.exec(what)?.[1] ?? /slept (\d+(?:\.\d+)?) s/.exec(what)?.[1] ?? "0") * 1000

/** What root did after the exchange numbered below this one, whatever order they are played in. */
const notesBefore = (
  n: number,
  recordings: Scenario["recordings"],
  notes: Scenario["outOfBand"]
): Scenario["outOfBand"] => {
  const below = Math.max(...recordings.filter((other) => other.n < n).map((other) => other.n), -1)
  return notes.filter((note) => note.before_n > below && note.before_n <= n)
}

/** A note whose archives and addresses are called as the simulated host calls them. */
const withNamesOfHere = (renames: Renames, note: OutOfBand): Effect.Effect<OutOfBand> =>
  Effect.orDie(
    Effect.flatMap(
      Schema.encode(Schema.parseJson(OutOfBand))(note),
      (text) => Schema.decode(Schema.parseJson(OutOfBand))(renames.translate(text))
    )
  )

/** Plays all exchanges in their recorded time against a host of their own, with root's changes in between. */
export const play = (scenario: Scenario): Effect.Effect<Conformance> => {
  const { outOfBand, recordings, worldText } = scenario
  const world = worldWithTokens(scenario)
  const time = makeVirtualClock(world.taken_at_unix.time * 1000)
  const renames = new Renames(worldText)
  const secrets = Object.fromEntries(
    world.tokens.map(({ tokenid }) => [tokenid, secretOf(tokenid.split("!")[1] ?? "")])
  )
  return Effect.gen(function*() {
    const sim = yield* PveSim
    const { begin, replay } = yield* makeReplay(time, renames, { text: worldText, takenAt: world.taken_at_unix.time })
    const exchanges: Array<Conformance["exchanges"][number]> = []
    const undone: Array<string> = []
    const open: Array<{ readonly recording: Recording; readonly end: Effect.Effect<ReadonlyArray<string>> }> = []
    const close = (now: number) =>
      Effect.gen(function*() {
        for (const one of open.splice(0)) {
          if (answeredAt(one.recording) > now) open.push(one)
          else exchanges.push({ n: one.recording.n, slug: one.recording.slug, differences: yield* one.end })
        }
      })
    for (const [at, recording] of recordings.entries()) {
      yield* close(sentAt(recording))
      for (const one of notesBefore(recording.n, recordings, outOfBand)) {
        const { changes, refused } = rootChanges(yield* withNamesOfHere(renames, one), secretOf)
        undone.push(...refused.map((text) => `before ${one.before_n}: ${text}`))
        yield* time.advanceTo(time.now() + waited(one.what))
        for (const { change, lenient } of changes) {
          yield* sim.change(change).pipe(
            Effect.catchAll((error) =>
              Effect.sync(() => {
                if (!lenient) undone.push(`before ${one.before_n}: ${one.command ?? ""}: ${error.message}`)
              })
            )
          )
        }
      }
      const next = recordings[at + 1]
      if (next !== undefined && recording.response.elapsed_ms > 1000 && sentAt(next) < answeredAt(recording)) {
        open.push({ recording, end: yield* begin(recording) })
      } else exchanges.push({ n: recording.n, slug: recording.slug, differences: yield* replay(recording) })
    }
    yield* close(Number.POSITIVE_INFINITY)
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
