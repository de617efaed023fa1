import { HttpClient, HttpClientResponse } from "@effect/platform"
import { describe, it } from "@effect/vitest"
import { HostReport } from "@felhom/domain/HostReport"
import { Effect, Either, Fiber, Layer, Option, Schema, TestClock } from "effect"
import { expect } from "vitest"
import { standardReport } from "../bench/StandardReport.ts"
import { acts } from "../evil/Acts.ts"
import type { Answer, OpsAttack } from "../evil/Attack.ts"
import { concluded } from "../evil/Campaign.ts"
import { makeKeys } from "../evil/Keys.ts"
import { carrying, nameOf, opOn, signedBy } from "../evil/Payload.ts"
import { playableOnRealHosts } from "../evil/RealAgent.ts"
import { type Attacked, playOne, playTogether } from "../evil/Round.ts"
import { known, refused, type Word } from "../evil/Word.ts"
import { StoryFailed } from "../story/StoryFailed.ts"

const hex = (digit: string) => digit.repeat(64)

const report = Schema.decodeUnknownSync(HostReport)({
  ...JSON.parse(standardReport("a".repeat(32), 1, 1_700_000_000_000, true)),
  trust: { opEpoch: "b".repeat(32), storeSeq: 3, signers: hex("c"), policy: null, hold: null }
})

/** No test here asks anybody over the network. */
const noNetwork = Layer.succeed(
  HttpClient.HttpClient,
  HttpClient.make((request) => Effect.succeed(HttpClientResponse.fromWeb(request, new Response(null, { status: 500 }))))
)

interface Agent {
  /** What it says of the ops that it was given, by their names. */
  readonly says: (
    names: ReadonlyArray<string>
  ) => ReadonlyArray<{ readonly kind: string; readonly message: string; readonly subject: string }>
  /** What becomes of its host. */
  readonly all?: () => string
  readonly changes?: () => number
}

/** An agent that reports once, is answered, and reports again with what it has to say to that. */
const before = ({ all = () => "as it was", changes = () => 7, says }: Agent): Effect.Effect<Attacked> =>
  Effect.gen(function*() {
    const { hands } = yield* makeKeys
    const reports = [report]
    const answeredWith = (answer: Answer) =>
      reports.push({
        ...report,
        events: says("ops" in answer ? answer.ops.map(nameOf) : []).map((event, index) => ({
          ...event,
          seq: index + 1,
          at: report.takenAt,
          severity: "warning" as const
        }))
      })
    return {
      hub: {
        url: "https://hub.test",
        fingerprint: hex("d"),
        reports: () => reports,
        play: (answering) =>
          Effect.map(answering(report), (answer) => {
            const count = reports.length
            if (Option.isSome(answer)) answeredWith(answer.value)
            return count
          })
      },
      truth: { all: Effect.sync(all), changes: Effect.sync(changes) },
      hands,
      vmid: 101,
      host: null,
      spent: yield* signedBy({ op: "what was done" }, hands.anna)
    }
  })

const unlisted = (subject: string) => ({
  kind: "op.refused",
  subject,
  message: "refused (unlisted): its key is not on the allow-list; sign with another"
})

const byStranger = (word: Word = refused("unlisted")): OpsAttack => ({
  name: "a stranger's op",
  invariant: "nothing without a signature",
  ops: (stage) => carrying(opOn(stage), stage.hands.stranger),
  word
})

const played = (agent: Agent, attack = byStranger()) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.fork(Effect.either(playOne(yield* before(agent), attack)))
    // A word that does not come is waited for a minute.
    yield* TestClock.adjust("61 seconds")
    return yield* Fiber.join(fiber)
  }).pipe(Effect.provide(noNetwork))

describe("an attack counts as refused", () => {
  it.effect("when the agent said exactly why, of that very op, and the host is as it was", () =>
    Effect.gen(function*() {
      const verdict = yield* played({ says: (names) => names.map(unlisted) })
      expect(verdict).toEqual(Either.right(expect.stringContaining("refused (unlisted)")))
    }))

  it.effect("and not when nothing was said", () =>
    Effect.gen(function*() {
      const verdict = yield* played({ says: () => [] })
      expect(Either.isLeft(verdict)).toBe(true)
    }))

  it.effect("and not when it was refused for another reason, which the words happen to contain", () =>
    Effect.gen(function*() {
      const verdict = yield* played({
        says: (names) =>
          names.map((subject) => ({ ...unlisted(subject), message: "refused (store): (unlisted) can't be written" }))
      })
      expect(Either.isLeft(verdict)).toBe(true)
    }))

  it.effect("and not when another op was refused", () =>
    Effect.gen(function*() {
      const verdict = yield* played({ says: () => [unlisted(hex("e"))] })
      expect(Either.isLeft(verdict)).toBe(true)
    }))

  it.effect("and not when the host is another afterwards, whatever the agent says", () =>
    Effect.gen(function*() {
      let asked = 0
      const verdict = yield* played({ says: (names) => names.map(unlisted), all: () => `state ${asked++}` })
      expect(Either.flip(verdict)).toMatchObject(Either.right({ message: "THE HOST IS NOT AS IT WAS" }))
    }))

  it.effect("and not when a call that changes something reached the host, even without any effect", () =>
    Effect.gen(function*() {
      let asked = 0
      const verdict = yield* played({ says: (names) => names.map(unlisted), changes: () => asked++ })
      expect(Either.flip(verdict)).toMatchObject(
        Either.right({ message: expect.stringContaining("1 calls that change something") })
      )
    }))

  it.effect("of several in one envelope, none if the host is another: nobody can tell which one did it", () =>
    Effect.gen(function*() {
      let asked = 0
      const arena = yield* before({ says: (names) => names.map(unlisted), all: () => `state ${asked++}` })
      const verdicts = yield* playTogether(arena, [byStranger(), byStranger()])
      expect(verdicts.map(([, verdict]) => Either.isLeft(verdict))).toEqual([true, true])
    }).pipe(Effect.provide(noNetwork)))
})

describe("a replay counts as received without a word", () => {
  const replay: OpsAttack = { ...byStranger(known), ops: (stage) => Effect.succeed([stage.spent]) }

  it.effect("only when the op that came after it was looked at", () =>
    Effect.gen(function*() {
      const looked = yield* played({ says: (names) => names.slice(-1).map(unlisted) }, replay)
      expect(Either.isRight(looked)).toBe(true)
      const notLooked = yield* played({ says: () => [] }, replay)
      expect(Either.isLeft(notLooked)).toBe(true)
    }))

  it.effect("and not when it is begun again", () =>
    Effect.gen(function*() {
      const verdict = yield* played({
        says: (names) => [
          ...names.slice(0, 1).map((subject) => ({ kind: "op.accepted", subject, message: "accepted" })),
          ...names.slice(-1).map(unlisted)
        ]
      }, replay)
      expect(Either.isLeft(verdict)).toBe(true)
    }))
})

describe("the drill", () => {
  const all = acts.flatMap(({ attacks }) => attacks)

  it("has a name of its own for every attack, at least 45 of them", () => {
    expect(new Set(all.map(({ name }) => name)).size).toBe(all.length)
    expect(all.length).toBeGreaterThanOrEqual(45)
  })

  it("knows of each attack whether it can be played on a real host", () =>
    expect(playableOnRealHosts.yes.length + playableOnRealHosts.no.length).toBe(all.length))

  it.effect("fails, and names it, when one attack was not refused", () =>
    Effect.gen(function*() {
      const [one, other] = all
      if (one === undefined || other === undefined) return expect.fail("there are no attacks")
      const lines: Array<string> = []
      const end = yield* Effect.either(concluded(
        [
          { attack: one, verdict: Either.right("refused") },
          { attack: other, verdict: Either.left(new StoryFailed({ message: "it went through" })) }
        ],
        (line) => Effect.sync(() => lines.push(line))
      ))
      expect(lines).toEqual(["1 of 2 attacks refused"])
      expect(end).toMatchObject(Either.left({ message: expect.stringContaining(other.name) }))
    }))
})
