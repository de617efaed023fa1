import { Effect, Logger, LogLevel } from "effect"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { cutStores } from "../../packages/durable/test/CutStores.ts"
import { failures, kills, type Point, reviveIn, spendingKills, tracedKills } from "../crash/Campaign.ts"
import { strace } from "../crash/Strace.ts"
import { wordKills } from "../crash/WordKills.ts"

/** The bundle of the process that is killed stands beside this one. */
const program = join(dirname(fileURLToPath(import.meta.url)), "crash-host.js")

const told = (what: string, points: ReadonlyArray<Point>): number => {
  const wrong = points.filter(({ wrongs }) => wrongs.length > 0)
  console.log(`${what}: ${points.length} points, ${wrong.length} of them not as they must be`)
  for (const { step, wrongs } of wrong) console.error(`${what}, ${step}: ${wrongs.join("; ")}`)
  return wrong.length
}

/** Cuts the power of a model's disk in so many states, and starts from each. Answers with how many faults there were. */
export const powerIsCut = (states: number, seed: number): Promise<number> =>
  Effect.gen(function*() {
    let faults = 0
    for (const { cut, name, share } of cutStores) {
      const tally = yield* cut({ seed, states: Math.ceil(states * share), livesOnOneDisk: 4 })
      console.log(
        `power cuts, ${name}: ${tally.states} disks after ${tally.lives} lives, ${tally.promises} promises, ` +
          `${tally.lost.length} not kept, ${tally.refused.length} starts refused`
      )
      for (const one of [...tally.lost, ...tally.refused]) console.error(`LOST OR REFUSED: ${one}`)
      faults += tally.lost.length + tally.refused.length
    }
    return faults
  }).pipe(Effect.runPromise)

/** Kills agents and lets their disks fail: at every step in every way, or at a share of them in one way each. */
export const agentsDie = (all: boolean): Promise<number> =>
  Effect.gen(function*() {
    const asked = all ? ({ nth: 1, ways: "each" } as const) : ({ nth: 10, ways: "in turn" } as const)
    let faults = told("SIGKILL", yield* kills(program, asked, reviveIn(program)))
    faults += told(
      "SIGKILL while a host is given other signers, policy and epoch",
      yield* wordKills(program, asked, reviveIn(program))
    )
    faults += told(
      "SIGKILL while nonces are compacted",
      yield* spendingKills(program, { ...asked, from: all ? "the beginning" : "the rewrite" })
    )
    faults += told("EIO and ENOSPC", yield* failures(asked))
    if (strace() === undefined) console.log("not killed from outside: there is no strace on this machine")
    else faults += told("SIGKILL by the kernel", yield* tracedKills(program, asked))
    return faults
  }).pipe(Effect.scoped, Effect.provide(Logger.minimumLogLevel(LogLevel.None)), Effect.runPromise)
