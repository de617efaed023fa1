import { Effect, type Scope } from "effect"
import { type Asked, type Point, reviveHere, trapsAt } from "./Campaign.ts"
import type { Trap } from "./FileTrap.ts"
import { inProcess } from "./HostProcess.ts"
import { auditWrongs, nameOf, type Revive, type Verdict } from "./Judgement.ts"
import type { Home, Reached, Told } from "./Life.ts"
import { makeScene, type Scene } from "./Scene.ts"
import { makeWordScene, type OfferedWord, type WordName, wordNames, type WordScene } from "./WordScene.ts"

type Failed = { readonly message: string }

/** As many processes at once as for the ops that Proxmox has a part in. */
const hosts = 2

const ends = new Set(["op.finished", "op.failed", "op.unknown"])

const ofWord = ({ call, signed }: OfferedWord, told: ReadonlyArray<Told>, isDone: boolean) => {
  const name = nameOf(signed)
  const found = told.flatMap(({ kind, subject }) => (ends.has(kind) && subject === name ? [kind] : []))
  const [end = "no end", ...others] = new Set(found)
  const outcome = `${end}, ${isDone ? "done" : "not done"}`
  const isTrue = outcome === "op.finished, done" || outcome === "op.failed, not done"
  return {
    outcome,
    wrongs: [
      ...(isTrue ? [] : [`${call}: ${outcome}`]),
      ...(others.length === 0 ? [] : [`${call} is said to have ended as ${found.join(" and ")}`])
    ]
  }
}

/** Starts the agent again on what is left, and holds it against what it told; then looks whether anything is done a second time. */
const judged = (
  scene: Scene,
  words: WordScene,
  folder: string,
  offered: ReadonlyArray<OfferedWord>,
  reached: Reached,
  revive: Revive
): Effect.Effect<Verdict, Failed> =>
  Effect.gen(function*() {
    const life = (envelopes: Home["envelopes"]) => revive({ home: scene.homeAt(folder, envelopes), trap: null })
    const again = yield* life(words.envelopes(offered))
    const { first, told, trust } = again.lived ?? { first: null, told: [], trust: null }
    if (first === null || trust === null) {
      return {
        outcomes: [],
        wrongs: [`the restart does not come up: ${again.failure ?? "it does not say whom it trusts"}`]
      }
    }
    const wrongs: Array<string> = []
    for (const call of wordNames) {
      if (words.isDone(call, reached) && !words.isDone(call, first.reached)) {
        wrongs.push(`${call} was done, and is not any more`)
      }
    }
    if (reached.epoch === first.reached.epoch && first.reached.desired < reached.desired) {
      wrongs.push("the desired state went back")
    }
    if (trust.opEpoch !== scene.trust.opEpoch) wrongs.push("the host has another epoch")
    const found = offered.map((one) => ofWord(one, told, words.isDone(one.call, trust.reached)))
    wrongs.push(...found.flatMap((one) => one.wrongs))

    yield* words.editedByRoot({ folder })
    const finished = new Map(
      offered.flatMap(({ call, nonce }, at): ReadonlyArray<readonly [WordName, string]> =>
        found[at]?.outcome === "op.finished, done" ? [[call, nonce]] : []
      )
    )
    const replayed = (yield* words.offered("once more", Object.fromEntries(finished)))
      .filter(({ call }) => finished.has(call))
    const third = yield* life([{ ops: [...offered, ...replayed].map(({ signed }) => signed), signers: [] }])
    const last = third.lived?.trust?.reached
    if (last === undefined || !words.goesByRoot(last)) wrongs.push("a replay: what root has edited does not hold")
    // To accept an epoch once more has its versions begin anew.
    if (last?.epoch !== trust.reached.epoch || last.desired !== trust.reached.desired) {
      wrongs.push(`a replay: ${JSON.stringify(trust.reached)} has become ${JSON.stringify(last)}`)
    }
    for (const { call, signed } of replayed) {
      const refused = third.lived?.told.some(({ kind, message, subject }) =>
        kind === "op.refused" && subject === nameOf(signed) && message.includes("(nonce-spent)")
      )
      if (refused !== true) wrongs.push(`the nonce of ${call} was not refused as spent`)
    }
    wrongs.push(...yield* auditWrongs({ folder }, offered, replayed))
    return { outcomes: found.map(({ outcome }, at) => `${offered[at]?.call}: ${outcome}`), wrongs }
  })

const prepared = (scene: Scene, words: WordScene) =>
  Effect.gen(function*() {
    const offered = yield* words.offered("as the operator wants it")
    const folder = yield* scene.folder
    return { offered, folder, home: scene.homeAt(folder, words.envelopes(offered)) }
  })

const killedAt = (scene: Scene, words: WordScene, program: string, trap: Trap, revive: Revive) =>
  Effect.gen(function*() {
    const { folder, home, offered } = yield* prepared(scene, words)
    const { lastWords, reached, signal } = yield* inProcess(program, [{ home, trap }])
    const verdict = yield* judged(scene, words, folder, offered, reached, revive)
    const step = lastWords === "" ? `${trap.how} step ${trap.at}` : lastWords
    return signal === "SIGKILL"
      ? { step, ...verdict }
      : { step, ...verdict, wrongs: [...verdict.wrongs, "nobody was killed"] }
  })

/**
 * Kills an agent at every durable step of taking on and doing `policy.widen`, `signers.update` and `desired.accept_epoch`, and of
 * taking desired state before and after. The host's own word is what shows whether one was done, and root's edits whether twice.
 */
export const wordKills = (
  program: string,
  asked: Asked,
  revive: Revive = reviveHere
): Effect.Effect<ReadonlyArray<Point>, Failed, Scope.Scope> =>
  Effect.gen(function*() {
    const scene = yield* makeScene
    const words = makeWordScene(scene)
    const { home } = yield* prepared(scene, words)
    const { failure, lived, steps } = yield* reviveHere({ home, trap: null })
    const done = lived === null || lived.trust === null ?
      [] :
      wordNames.filter((call) => lived.trust !== null && words.isDone(call, lived.trust.reached))
    if (done.length < wordNames.length) {
      const told = lived?.told.map(({ kind, message }) => `${kind} ${message}`).join(" | ")
      return yield* Effect.fail({
        message: `an undisturbed life did only ${done.join(", ")}: ${failure ?? told ?? "?"}`
      })
    }
    return yield* Effect.forEach(
      trapsAt(steps.length, ["kill before", "kill after"], asked),
      (trap) => killedAt(scene, words, program, trap, revive),
      { concurrency: hosts }
    )
  })
