import { Effect, Encoding } from "effect"
import { StoryFailed } from "../../story/StoryFailed.ts"
import type { Act, Scene } from "../Act.ts"
import { answered, untilReport } from "../Arena.ts"
import type { AnswerAttack, Stage } from "../Attack.ts"
import { refOf } from "../Attack.ts"
import { inOneWorld } from "../InOneWorld.ts"
import { seenOf } from "../Payload.ts"
import { harmless, playInTurn } from "../Round.ts"
import { desiredRefused, type Word } from "../Word.ts"
import type { World } from "../World.ts"

/** Of the hub's store. */
const hubEpoch = "d".repeat(32)

const hour = 3_600_000
/** What the host has taken before the attacks. */
const taken = 5

type Facts = Pick<Stage, "epoch" | "host" | "now" | "target">

const wish = ({ target }: Facts, instead: { readonly [key: string]: unknown } = {}) => ({
  guest: { type: refOf(target).type, identity: seenOf(target).identity },
  power: "running",
  ...instead
})

const documentOf = (facts: Facts, instead: { readonly [key: string]: unknown } = {}) => ({
  typ: "felhom/desired/v1",
  host: facts.host,
  hostEpoch: facts.epoch,
  epoch: hubEpoch,
  version: taken + 1,
  issued: facts.now,
  expires: facts.now + hour,
  state: { guests: [wish(facts)] },
  ...instead
})

const sending = (document: unknown) => ({
  ops: [],
  envelope: { desired: Encoding.encodeBase64(JSON.stringify(document)) }
})

const attack = (
  name: string,
  invariant: string,
  instead: (facts: Facts) => { readonly [key: string]: unknown },
  word: Word
): AnswerAttack => ({
  name,
  invariant,
  answer: (stage) => Effect.succeed(sending(documentOf(stage, instead(stage)))),
  word
})

const numbers = "the desired version never goes back; the same version is the same state"
const absence = "absence never destroys"
const closed = "nothing in a desired state can destroy"
const addressed = "a desired state is for one host, and of one hub"

const onNumbers: ReadonlyArray<AnswerAttack> = [
  attack(
    "a desired state of before (rollback)",
    numbers,
    () => ({ version: taken - 1 }),
    desiredRefused("version-behind")
  ),
  attack(
    "another desired state under the same number",
    numbers,
    (facts) => ({ version: taken, state: { guests: [wish(facts, { onboot: false })] } }),
    desiredRefused("same-version")
  ),
  attack(
    "a desired state that uses up all numbers (fast-forward)",
    numbers,
    () => ({ version: taken + 1_000_001 }),
    desiredRefused("version-jump")
  ),
  attack(
    "a desired state in which no guest is left",
    absence,
    () => ({ state: { guests: [] } }),
    desiredRefused("empty")
  ),
  attack(
    "a desired state that was kept back until it was over",
    "no effect after the expiry",
    ({ now }) => ({ issued: now - 2 * hour, expires: now - hour }),
    desiredRefused("expired")
  ),
  attack(
    "a desired state from tomorrow",
    "no effect outside of its time",
    ({ now }) => ({ issued: now + 24 * hour, expires: now + 25 * hour }),
    desiredRefused("issued-ahead")
  )
]

const onContent: ReadonlyArray<AnswerAttack> = [
  attack(
    "another host's desired state",
    addressed,
    () => ({ host: "0".repeat(32) }),
    desiredRefused("other-host")
  ),
  attack(
    "a desired state for an earlier incarnation of the host (mixed epochs)",
    addressed,
    () => ({ hostEpoch: "0".repeat(32) }),
    desiredRefused("other-host-epoch")
  ),
  attack(
    "a desired state of another hub's store, counted anew (mixed epochs)",
    addressed,
    () => ({ epoch: "e".repeat(32), version: 1 }),
    desiredRefused("other-epoch")
  ),
  attack(
    "a desired state that says a guest is to be destroyed",
    closed,
    (facts) => ({ state: { guests: [wish(facts, { power: "destroyed" })] } }),
    desiredRefused("schema")
  ),
  attack(
    "a desired state that lifts a guest's protection",
    closed,
    (facts) => ({ state: { guests: [wish(facts, { protection: false })] } }),
    desiredRefused("schema")
  ),
  attack(
    "a desired state that asks for three hundred backups",
    "free space never falls below the host's floors by our doing",
    (facts) => ({ state: { guests: [wish(facts, { backups: { storage: "local", keepLast: 1, count: 300 } })] } }),
    desiredRefused("schema")
  )
]

/** The host takes what is right, before it refuses what is not: else one that takes nothing would pass. */
const rightOneTaken = (world: World, expiresIn: number) =>
  Effect.gen(function*() {
    const { count } = yield* answered(world, (facts) =>
      Effect.succeed({
        answer: sending(documentOf(facts, { version: taken, expires: facts.now + expiresIn }))
      }))
    yield* untilReport(world.hub, count, "the host takes a desired state that is right", ({ trust }) =>
      trust?.desired?.version === taken)
  })

const inTurn = (attacks: ReadonlyArray<AnswerAttack>): Act =>
  inOneWorld("desired", [{
    attacks,
    play: (world, { judge, wanted }) =>
      Effect.gen(function*() {
        yield* rightOneTaken(world, hour)
        for (const [{ name }, verdict] of yield* playInTurn(world, attacks.filter(wanted))) yield* judge(name, verdict)
      })
  }])

/** Two hosts, as each state takes a report of its own. */
export const desiredStates: ReadonlyArray<Act> = [inTurn(onNumbers), inTurn(onContent)]

const frozen = {
  name: "no desired state any more (freeze)",
  invariant: "nothing new is begun for a state that is over"
}
const lifetime = 6_000

/** The hub goes on answering, and serves nothing new. */
export const freeze: Scene = {
  attacks: [frozen],
  play: (world, { judge }) =>
    Effect.gen(function*() {
      yield* rightOneTaken(world, lifetime)
      yield* judge(
        frozen.name,
        harmless(
          world,
          Effect.flatMap(
            untilReport(
              world.hub,
              world.hub.reports().length,
              "the host says that its desired state has run out",
              ({ inventory }) => inventory?.desired?.stale === true
            ),
            ({ inventory }) =>
              inventory?.desired?.version === taken
                ? Effect.succeed(`the host reports: version ${taken} of its desired state is stale`)
                : new StoryFailed({ message: "the host does not say which desired state is stale" })
          )
        )
      )
    })
}
