import type { HostReport } from "@felhom/domain/HostReport"
import { Effect } from "effect"
import type { Act } from "../Act.ts"
import { answered, obeyed, untilReport } from "../Arena.ts"
import type { AnswerAttack, OpsAttack } from "../Attack.ts"
import { carrying, opOn, signedBy } from "../Payload.ts"
import { type Attacked, playAlone, playOne } from "../Round.ts"
import { refused } from "../Word.ts"
import { makeWorld, opened, type World } from "../World.ts"

const inTime = "no effect outside of the op's time"
const hour = 3_600_000
const farAhead = 60 * 24 * hour

const names = {
  back: "a clock that was set back until an op is good again",
  ahead: "a clock that ran two months ahead, so that spent nonces were forgotten, and was set right",
  reanchored: "an op from before the host's record was begun anew"
}

const setBack: AnswerAttack = {
  name: names.back,
  invariant: inTime,
  answer: (stage) => {
    const then = stage.now - hour
    return Effect.map(
      // The hub's clock says the same, so that nothing but the host's own memory speaks against it.
      carrying(opOn({ ...stage, now: then }, { exp: stage.now - 60_000 }), stage.hands.anna),
      (ops) => ({ ops, envelope: { serverTime: then } })
    )
  },
  word: refused("clock-behind")
}

const ranAhead: OpsAttack = {
  name: names.ahead,
  invariant: inTime,
  ops: (stage) => carrying(opOn(stage), stage.hands.anna),
  word: refused("clock-behind")
}

const shows = (offset: number) => ({ takenAt, trust }: HostReport): boolean =>
  trust != null && Math.abs(takenAt - Date.now() - offset) < 60_000

/** The same world with its clock moved; what is played there waits until the agent has said so. */
const moved = (world: Attacked & World, offset: number) =>
  Effect.as(world.agent.setClock(offset), { ...world, when: shows(offset) })

/** Somebody answers the host's questions for the time. */
export const movedClock: Act = {
  attacks: Object.values(names).map((name) => ({ name, invariant: inTime })),
  plain: [],
  play: ({ folder, judge, keys }) =>
    Effect.gen(function*() {
      const world = yield* Effect.flatMap(makeWorld({ folder, name: "clock", keys, clock: true }), opened)
      // Kept back by the hub until the end.
      const { unused } = yield* answered(world, (facts) =>
        Effect.map(signedBy(opOn(facts, { reason: "not sent yet" }), keys.hands.anna), (unused) => ({
          unused,
          answer: { ops: [] }
        })))
      const behind = yield* moved(world, -hour)
      yield* judge(names.back, Effect.flatten(playAlone(behind, setBack)))
      const ahead = yield* moved(world, farAhead)
      yield* untilReport(world.hub, world.hub.reports().length, "the agent's clock is far ahead", ahead.when)
      const right = yield* moved(world, 0)
      yield* judge(
        names.ahead,
        playOne(right, ranAhead)
      )
      // The way out is the operator's own.
      yield* obeyed(
        world,
        ({ trust }) => ({ op: "store.reanchor", target: {}, expect: { storeSeq: trust.storeSeq } }),
        keys.hands.anna
      )
      const kept: OpsAttack = {
        name: names.reanchored,
        invariant: inTime,
        ops: () =>
          Effect.succeed([unused]),
        word: refused("other-epoch")
      }
      yield* judge(names.reanchored, playOne(world, kept))
      yield* world.agent.stop
    })
}
