import type { HttpClient } from "@effect/platform"
import type { SignedBytes } from "@felhom/domain/Envelope"
import { Array as Arr, Effect, Either, Fiber } from "effect"
import { StoryFailed } from "../story/StoryFailed.ts"
import { answered, type Arena, untilEvent } from "./Arena.ts"
import type { Answer, AnswerAttack, Attack, Named, OpsAnswer, OpsAttack, Stage } from "./Attack.ts"
import type { EvilHub } from "./EvilHub.ts"
import { nameOf, opOn, signedBy } from "./Payload.ts"
import { isWord, refused, type Word, wordText } from "./Word.ts"

/** The agent's own words on an attack, or why it counts as gone through. */
export type Verdict = Either.Either<string, StoryFailed>

/** Ops of which none may be done, played against this arena. */
export interface Attacked extends Arena {
  readonly spent: SignedBytes
}

const said = (hub: EvilHub, count: number, word: Word, sent: ReadonlyArray<Pick<SignedBytes, "payload">>) => {
  const subjects = new Set(sent.map(nameOf))
  return Effect.map(
    untilEvent(hub, count, `the agent says ${wordText(word)}`, (event) => isWord(word, event, subjects)),
    ({ kind, message }) => `${kind}: ${message}`
  )
}

const acceptedBefore = /was accepted before; nothing new is begun/

/** What is sent in an answer, by the payloads that the agent names it by. */
const payloadsIn = (answer: Answer): ReadonlyArray<Pick<SignedBytes, "payload">> => {
  if (!("ops" in answer)) return []
  const desired = answer.envelope?.["desired"]
  return [...answer.ops, ...(typeof desired === "string" ? [{ payload: desired }] : [])]
}

/** That an op was looked at shows by what the agent says of the one after it; that it was known, by asking at the host. */
const knownBefore = (arena: Arena, count: number, signed: ReadonlyArray<SignedBytes>, canary: SignedBytes) =>
  Effect.gen(function*() {
    yield* said(arena.hub, count, refused("unlisted"), [canary])
    const names = new Set(signed.map(nameOf))
    const begun = arena.hub.reports().slice(count).flatMap(({ events }) => events).find(({ kind, subject }) =>
      kind.startsWith("op.") && names.has(subject ?? "")
    )
    if (begun !== undefined) return yield* new StoryFailed({ message: `${begun.kind}: ${begun.message}` })
    const [one] = signed
    if (arena.host === null || one === undefined) {
      return "it was received again, without a word; the op after it was looked at"
    }
    const answer = (yield* arena.host.accept(one)).trim()
    return acceptedBefore.test(answer)
      ? `asked at the host: ${answer}`
      : yield* new StoryFailed({ message: `asked at the host, the agent says: ${answer}` })
  })

/** Holds what the host is now against what it was. */
const unchanged = (arena: Arena, before: { readonly all: string; readonly changes: number }) =>
  Effect.gen(function*() {
    const after = { all: yield* arena.truth.all, changes: yield* arena.truth.changes }
    if (after.all !== before.all) return yield* new StoryFailed({ message: "THE HOST IS NOT AS IT WAS" })
    if (after.changes !== before.changes) {
      return yield* new StoryFailed({
        message: `${after.changes - before.changes} calls that change something reached the host`
      })
    }
  })

/** That nothing on the host changes while this goes on. */
export const harmless = <A, R>(
  arena: Arena,
  attack: Effect.Effect<A, StoryFailed, R>
): Effect.Effect<A, StoryFailed, R | HttpClient.HttpClient> =>
  Effect.gen(function*() {
    const before = { all: yield* arena.truth.all, changes: yield* arena.truth.changes }
    return yield* Effect.zipLeft(attack, unchanged(arena, before))
  })

const stageOf = ({ hands, spent }: Attacked, facts: Omit<Stage, "hands" | "spent">): Stage => ({
  ...facts,
  hands,
  spent
})

const judgedBy = (arena: Arena, count: number, sent: ReadonlyArray<Sent>, canary: SignedBytes) =>
  Effect.forEach(
    sent,
    ({ signed, word }) =>
      Effect.either(
        word._tag === "known" ? knownBefore(arena, count, signed, canary) : said(arena.hub, count, word, signed)
      ),
    { concurrency: "unbounded" }
  )

/** What is sent for one of several attacks in one envelope, with the word that has to come. */
export interface Sent extends Named {
  readonly word: Word
  readonly signed: ReadonlyArray<SignedBytes>
}

/**
 * Sends what was made for several attacks in one envelope. What the agent says is told for each of them; if the host is not as it
 * was, none of them counts as refused, since nobody can tell which one did it.
 */
export const playSent = (
  arena: Attacked,
  make: (stage: Stage) => Effect.Effect<{ readonly sent: ReadonlyArray<Sent>; readonly answer: OpsAnswer }>
): Effect.Effect<ReadonlyArray<readonly [Named, Verdict]>, StoryFailed, HttpClient.HttpClient> =>
  harmless(
    arena,
    Effect.gen(function*() {
      const { canary, count, sent } = yield* answered(arena, (facts) =>
        Effect.gen(function*() {
          const stage = stageOf(arena, facts)
          const { answer, sent } = yield* make(stage)
          const canary = yield* signedBy(opOn(stage, { reason: "a canary" }), arena.hands.stranger)
          const last = sent.some(({ word }) => word._tag === "known") ? [canary] : []
          return { sent, canary, answer: { ...answer, ops: [...answer.ops, ...last] } }
        }))
      const verdicts = yield* judgedBy(arena, count, sent, canary)
      return Arr.zip(sent, verdicts)
    })
  )

/** Why none of them counts, where it can't be told which one it was. */
const allFailed =
  (attacks: ReadonlyArray<Named>) => ({ message }: StoryFailed): ReadonlyArray<readonly [Named, Verdict]> =>
    attacks.map((attack) => [
      attack,
      Either.left(
        new StoryFailed({
          message: attacks.length === 1
            ? message
            : `${message} (one of ${attacks.length} attacks that were played together; --only NAME plays one by itself)`
        })
      )
    ])

/** Plays these attacks in one envelope. */
export const playTogether = (
  arena: Attacked,
  attacks: ReadonlyArray<OpsAttack>
): Effect.Effect<ReadonlyArray<readonly [Named, Verdict]>, never, HttpClient.HttpClient> =>
  playSent(arena, (stage) =>
    Effect.map(
      Effect.forEach(attacks, ({ invariant, name, ops, word }) =>
        Effect.map(ops(stage), (signed): Sent => ({ name, invariant, word, signed }))),
      (sent) => ({
        sent,
        answer: {
          ops: sent.flatMap(({ signed }) =>
            signed
          )
        }
      })
    )).pipe(Effect.catchAll((error) => Effect.succeed(allFailed(attacks)(error))))

/** Plays one attack, which gives the agent's words. */
export const playOne = (
  arena: Attacked,
  attack: OpsAttack
): Effect.Effect<string, StoryFailed, HttpClient.HttpClient> =>
  Effect.flatMap(
    playTogether(arena, [attack]),
    ([first]) => first === undefined ? new StoryFailed({ message: "it was not judged" }) : first[1]
  )

/** Plays attacks one after the other, each in the answer to the next report, and judges them at the end as one. */
export const playInTurn = (
  arena: Attacked,
  attacks: ReadonlyArray<AnswerAttack>
): Effect.Effect<ReadonlyArray<readonly [Named, Verdict]>, never, HttpClient.HttpClient> =>
  harmless(
    arena,
    Effect.gen(function*() {
      const judging = yield* Effect.forEach(attacks, (attack) =>
        Effect.gen(function*() {
          const { answer, count } = yield* answered(
            arena,
            (facts) => Effect.map(attack.answer(stageOf(arena, facts)), (answer) => ({ answer }))
          )
          const word = said(arena.hub, count, attack.word, payloadsIn(answer))
          return { attack, fiber: yield* Effect.fork(Effect.either(word)) }
        }))
      return yield* Effect.forEach(
        judging,
        ({ attack, fiber }) => Effect.map(Fiber.join(fiber), (verdict): readonly [Named, Verdict] => [attack, verdict])
      )
    })
  ).pipe(Effect.catchAll((error) => Effect.succeed(allFailed(attacks)(error))))

/** Plays an attack that takes an answer of its own. */
export const playAlone = (
  arena: Attacked,
  attack: AnswerAttack
): Effect.Effect<Verdict, never, HttpClient.HttpClient> => {
  const byHost = (change: AnswerAttack["before"]) =>
    change === undefined ? Effect.void : arena.host === null
      ? new StoryFailed({ message: "it takes hands at the host" })
      : change(arena.host)
  const played = Effect.gen(function*() {
    yield* byHost(attack.before)
    return yield* harmless(
      arena,
      Effect.gen(function*() {
        const { answer, count } = yield* answered(
          arena,
          (facts) => Effect.map(attack.answer(stageOf(arena, facts)), (answer) => ({ answer }))
        )
        return yield* said(arena.hub, count, attack.word, payloadsIn(answer))
      })
    )
  })
  return Effect.either(Effect.ensuring(played, Effect.ignore(byHost(attack.after))))
}

/** As many ops as the agent tells of at once, less those that it may have told of before. */
const perEnvelope = 15

/** Plays attacks on one host: ops together as far as they may be, then the others one by one, in their order. */
export const playAll = <R>(
  arena: Attacked,
  attacks: ReadonlyArray<Attack>,
  judge: (attack: Named, verdict: Verdict) => Effect.Effect<void, never, R>
): Effect.Effect<void, never, HttpClient.HttpClient | R> =>
  Effect.gen(function*() {
    for (const some of Arr.chunksOf(attacks.filter((attack) => "ops" in attack), perEnvelope)) {
      for (const [attack, verdict] of yield* playTogether(arena, some)) yield* judge(attack, verdict)
    }
    for (const attack of attacks) {
      if ("answer" in attack) yield* judge(attack, yield* playAlone(arena, attack))
    }
  })
