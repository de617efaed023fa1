import { FileSystem } from "@effect/platform"
import { Effect } from "effect"
import { StoryFailed } from "../../story/StoryFailed.ts"
import type { Act } from "../Act.ts"
import { answered, obeyed, untilEvent } from "../Arena.ts"
import type { OpsAttack } from "../Attack.ts"
import { nameOf, opOn, seenOf, signedBy } from "../Payload.ts"
import { playOne } from "../Round.ts"
import { known, refused, type Word } from "../Word.ts"
import { makeHost, makeWorld, opened, runningAgain, type World } from "../World.ts"
import { copyOfLiving } from "./CopyOfLiving.ts"

const once = "a nonce leads to at most one call"
const setBack = "a host that was set back is noticed"

const names = {
  copy: "an op that was done, replayed to a copy of the host",
  behind: "an op that knew a later state of the host, replayed to a copy of before",
  anew: "an op that was done, replayed to a copy with a new record of spent nonces",
  other: "an op that was done, replayed to a copy with an identity of its own",
  restored: "an op that knew a later state of the host, replayed after its disk was set back"
}

/** An op whose signature holds and whose target is not what it says: its nonce is spent, and the host is as it was. */
const nonceSpentInVain = (world: World) =>
  Effect.gen(function*() {
    const { count, signed } = yield* answered(world, (facts) =>
      Effect.map(
        signedBy(
          opOn(facts, { expect: { ...seenOf(facts.target), configHash: "0".repeat(64) } }),
          world.hands.anna
        ),
        (signed) => ({ signed, answer: { ops: [signed] } })
      ))
    const name = nameOf(signed)
    yield* untilEvent(world.hub, count, "an op in vain ends", ({ kind, subject }) =>
      kind === "op.failed" && subject === name)
  })

/** A host's state folder is copied, and later set back, while what its operators sign goes on. */
export const copies: Act = {
  attacks: [
    { name: names.copy, invariant: once },
    { name: names.behind, invariant: setBack },
    { name: names.anew, invariant: once },
    { name: names.other, invariant: "a signature is for one host" },
    { name: names.restored, invariant: setBack }
  ],
  plain: [],
  play: ({ folder, judge, keys }) =>
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const original = yield* Effect.flatMap(makeWorld({ folder, name: "original", keys }), opened)
      const { spent } = original
      const kept = `${folder}/kept`
      const withoutRecord = `${folder}/without-record`
      yield* Effect.mapError(
        Effect.gen(function*() {
          yield* copyOfLiving(original.agent.state, kept)
          // On another machine no process of that number would hold it.
          for (const name of yield* fs.readDirectory(kept)) {
            if (name.startsWith("daemon.lock")) yield* fs.remove(`${kept}/${name}`)
          }
          yield* fs.copy(kept, withoutRecord)
          for (const name of yield* fs.readDirectory(withoutRecord)) {
            if (name.startsWith("nonces")) yield* fs.remove(`${withoutRecord}/${name}`)
          }
        }),
        ({ message }) => new StoryFailed({ message: `the state folder can't be copied: ${message}` })
      )
      const on = yield* makeHost(folder, "copies")
      const copy = yield* makeWorld({ folder, name: "copy", keys, on, copyOf: kept })
      const anew = yield* makeWorld({ folder, name: "anew", keys, on, copyOf: withoutRecord })
      const other = yield* makeWorld({ folder, name: "other", keys, on })

      yield* nonceSpentInVain(original)
      const { signed: later } = yield* obeyed(original, () => ({ reason: "the operator's second" }), keys.hands.anna)
      yield* runningAgain(original)

      const replayed = (name: string, world: World, signed: typeof spent, word: Word) => {
        const attack: OpsAttack = { name, invariant: once, word, ops: () => Effect.succeed([signed]) }
        return judge(
          name,
          playOne({ ...world, spent }, attack)
        )
      }
      const copied = replayed(names.copy, copy, spent, known).pipe(
        Effect.zipRight(replayed(names.behind, copy, later, refused("store-behind")))
      )
      const restored = Effect.gen(function*() {
        yield* original.agent.stop
        yield* Effect.mapError(
          Effect.zipRight(
            fs.remove(original.agent.state, { recursive: true }),
            fs.copy(kept, original.agent.state)
          ),
          ({ message }) => new StoryFailed({ message: `the state folder can't be set back: ${message}` })
        )
        yield* original.agent.start
        yield* replayed(names.restored, original, later, refused("store-behind"))
      })
      yield* Effect.all([
        copied,
        replayed(names.anew, anew, later, refused("other-epoch")),
        replayed(names.other, other, later, refused("other-host")),
        restored
      ], { concurrency: "unbounded", discard: true })
      yield* Effect.forEach([original, copy, anew, other], ({ agent }) => agent.stop, { discard: true })
    })
}
