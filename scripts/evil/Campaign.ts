import { FileSystem } from "@effect/platform"
import { Console, Effect, Either, Ref } from "effect"
import { StoryFailed } from "../story/StoryFailed.ts"
import type { Act, Props, Surroundings } from "./Act.ts"
import type { Named } from "./Attack.ts"
import { type Keys, makeKeys } from "./Keys.ts"
import type { Verdict } from "./Round.ts"

/** As many worlds at once: each is an agent and a simulator, which mostly wait for the time of the next report. */
const atOnce = 10

export const told = ({ invariant, name }: Named, verdict: Verdict): string =>
  Either.match(verdict, {
    onRight: (said) => `ok     ${name}\n       ${said}`,
    onLeft: ({ message }) => `FAILED ${name} (${invariant})\n       ${message}`
  })

/** The last line, and the failure if there is one. */
export const concluded = (
  verdicts: ReadonlyArray<{ readonly attack: Named; readonly verdict: Verdict }>,
  tell: (line: string) => Effect.Effect<void>
): Effect.Effect<void, StoryFailed> =>
  Effect.gen(function*() {
    const failed = verdicts.filter(({ verdict }) => Either.isLeft(verdict)).map(({ attack }) => attack.name)
    yield* tell(`${verdicts.length - failed.length} of ${verdicts.length} attacks refused`)
    if (failed.length > 0) {
      return yield* new StoryFailed({ message: `not refused, or not noticed: ${failed.join("; ")}` })
    }
  })

const playedBy = (
  act: Act,
  folder: string,
  keys: Keys,
  wanted: Surroundings["wanted"],
  judged: (attack: Named, verdict: Verdict) => Effect.Effect<void>
): Effect.Effect<void, never, Props> =>
  Effect.gen(function*() {
    const left = yield* Ref.make(act.attacks.filter(wanted))
    const settle = (attack: Named, verdict: Verdict) =>
      Effect.zipRight(
        Ref.update(left, (all) => all.filter(({ name }) => name !== attack.name)),
        judged(attack, verdict)
      )
    const played = act.play({
      folder,
      keys,
      wanted,
      judge: (name, verdict) =>
        Effect.flatMap(Effect.either(verdict), (found) =>
          Effect.forEach(
            act.attacks.filter((attack) => attack.name === name && wanted(attack)),
            (attack) => settle(attack, found),
            {
              discard: true
            }
          ))
    })
    const end = yield* Effect.either(Effect.scoped(played))
    const why = Either.isLeft(end) ? end.left : new StoryFailed({ message: "it was not played" })
    yield* Effect.forEach(yield* Ref.get(left), (attack) => settle(attack, Either.left(why)), { discard: true })
  })

/** Plays acts beside each other, each against real agents, over TLS with their own pins, on simulated hosts. */
export const campaign = (
  step: Ref.Ref<string>,
  acts: ReadonlyArray<Act>,
  { tell = Console.log, wanted = () => true }: {
    readonly tell?: (line: string) => Effect.Effect<void>
    readonly wanted?: Surroundings["wanted"]
  } = {}
): Effect.Effect<void, StoryFailed, Props> =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const folder = yield* fs.makeTempDirectoryScoped({ prefix: "felhom-evil-" })
    const keys = yield* makeKeys
    const verdicts = yield* Ref.make<ReadonlyArray<{ readonly attack: Named; readonly verdict: Verdict }>>([])
    const judged = (attack: Named, verdict: Verdict) =>
      Effect.zipRight(
        Ref.update(verdicts, (all) => [...all, { attack, verdict }]),
        tell(told(attack, verdict))
      )
    yield* Ref.set(step, "the attacks")
    yield* Effect.forEach(
      acts.filter(({ attacks }) => attacks.some(wanted)),
      (act, index) =>
        Effect.gen(function*() {
          const own = `${folder}/${index}`
          yield* fs.makeDirectory(own)
          yield* playedBy(act, own, keys, wanted, judged)
        }),
      { concurrency: atOnce, discard: true }
    )
    yield* concluded(yield* Ref.get(verdicts), tell)
  }).pipe(Effect.mapError(({ message }) => new StoryFailed({ message })))
