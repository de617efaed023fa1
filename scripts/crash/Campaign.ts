import { Effect, Either, type Scope } from "effect"
import { setTrap, type Trap } from "./FileTrap.ts"
import { inProcess, type Planned } from "./HostProcess.ts"
import { envelopesOf, judged, nameOf, offer, type Revive, since, type Verdict } from "./Judgement.ts"
import { isMended, type LifeOptions, live, nothingReached, stateFolder } from "./Life.ts"
import type { Spends } from "./Report.ts"
import { type CallName, makeScene, type Scene } from "./Scene.ts"
import { enoughToCompact, spendingWrongs } from "./Spending.ts"
import { killedIn, tracedCalls } from "./Strace.ts"

/** What came of one point. */
export interface Point extends Verdict {
  /** `after fdatasync nonces.log` */
  readonly step: string
}

type Failed = { readonly message: string }

/** A life in this process, with the number of the first step of each envelope. */
const lifeHere = ({ home, trap }: Planned, options: Omit<LifeOptions, "onEnvelope">) =>
  Effect.suspend(() => {
    const steps = setTrap(stateFolder(home), trap ?? undefined)
    const starts: Array<number> = []
    return Effect.map(
      Effect.either(live(home, { ...options, onEnvelope: () => starts.push(steps().seen.length) })),
      (lived) => ({
        starts,
        steps: steps().seen,
        sprung: steps().sprung ?? null,
        lived: Either.getOrNull(lived),
        failure: Either.match(lived, { onLeft: ({ message }) => message, onRight: () => null })
      })
    )
  })

/** A restart in this process: all that the agent knows comes from the folder. */
export const reviveHere: Revive = (planned) => lifeHere(planned, { faulty: false })

/** A restart in a process of its own. */
export const reviveIn = (program: string): Revive => (planned) =>
  Effect.flatMap(inProcess(program, [planned]), ({ lastWords, reports: [report] }) =>
    report === undefined
      ? Effect.fail({ message: `a life without a trap said nothing: ${lastWords}` })
      : Effect.succeed(report))

/** The ops of a life that is killed: the second one's record has the journal written anew. */
const killedOps: ReadonlyArray<CallName> = ["stop", "remove"]
/** With a disk that fails there is one op more, to see that nothing new is begun. */
const faultyOps: ReadonlyArray<CallName> = ["stop", "remove", "late"]

const prepared = (scene: Scene, names: ReadonlyArray<CallName>) =>
  Effect.gen(function*() {
    yield* scene.restore
    const before = yield* scene.counts
    const offered = yield* offer(scene, names)
    const folder = yield* scene.folder
    return { before, offered, folder, home: scene.homeAt(folder, envelopesOf(scene, offered)) }
  })

/** Every durable step of one undisturbed life, in order. */
const stepsOf = (scene: Scene, names: ReadonlyArray<CallName>): Effect.Effect<ReadonlyArray<string>, Failed> =>
  Effect.gen(function*() {
    const { home } = yield* prepared(scene, names)
    const { failure, lived, steps } = yield* lifeHere({ home, trap: null }, { faulty: false })
    return lived === null ? yield* Effect.fail({ message: `an undisturbed life failed: ${failure ?? "?"}` }) : steps
  })

/** How an agent is killed: by itself at one of its steps, or from outside by what is put in front of its command. */
interface Killer {
  readonly name: string
  readonly trap: Trap | null
  readonly wrapper: ReadonlyArray<string>
}

/** Kills an agent with a real SIGKILL. */
const killedBy = (scene: Scene, program: string, killer: Killer, revive: Revive): Effect.Effect<Point, Failed> =>
  Effect.gen(function*() {
    const { home, ...left } = yield* prepared(scene, killedOps)
    const { lastWords, reached, signal } = yield* inProcess(program, [{ home, trap: killer.trap }], killer.wrapper)
    const verdict = yield* judged(scene, { ...left, reached }, revive)
    return signal === "SIGKILL"
      ? { step: lastWords === "" ? killer.name : lastWords, ...verdict }
      : { step: killer.name, ...verdict, wrongs: [...verdict.wrongs, "nobody was killed"] }
  })

/** What a sync of the folder at this step makes durable the name of; undefined where several wait for one and any may be meant. */
const syncedName = (steps: ReadonlyArray<string>, at: number): string | undefined => {
  let waiting: ReadonlyArray<string> = []
  let several = false
  for (const step of steps.slice(0, at)) {
    if (step === "sync .") waiting = waiting.slice(1)
    else if (/^rename |^open .*\.init$/.test(step)) waiting = [...waiting, step]
    several = waiting.length > 1 || (several && waiting.length > 0)
  }
  return several ? undefined : waiting[0]
}

/** Which log takes nothing more once this step has failed: its own, or that whose renaming the folder is synced for. */
const poisonedBy = (steps: ReadonlyArray<string>, trap: Trap): boolean => {
  const step = steps[trap.at] ?? ""
  const about = step === "sync ." ? syncedName(steps, trap.at) ?? "" : step
  const [log] = /[a-z]+\.log/.exec(about) ?? []
  const isOpen = steps.some((one, at) => at < trap.at && one === "sync ." && syncedName(steps, at) === `rename ${log}`)
  // A start on a full disk gives up what was set aside for that, and writes once more.
  return log !== undefined && (isOpen || trap.how !== "ENOSPC")
}

/** Fails one step of the disk, and gives the agent more to do; mostly it mends itself before it is started again. */
const failedAt = (scene: Scene, trap: Trap): Effect.Effect<Point, Failed> =>
  Effect.gen(function*() {
    const { home, ...left } = yield* prepared(scene, faultyOps)
    const { before, offered } = left
    let reached = nothingReached
    const mends = trap.at % 3 !== 0
    const { failure, lived, sprung, starts, steps } = yield* lifeHere({ home, trap }, {
      faulty: true,
      mends,
      onReached: (now) => {
        reached = now
      }
    })
    const wrongs: Array<string> = sprung === null ? ["the disk did not fail"] : []
    if (mends && lived === null) wrongs.push(`the agent did not mend itself: ${failure ?? "?"}`)
    if (mends && lived !== null && poisonedBy(steps, trap) !== lived.told.some(isMended)) {
      wrongs.push(
        lived.told.some(isMended) ? "the agent opened anew what was well" : "the agent left closed what had failed"
      )
    }
    const counts = since(before, yield* scene.counts)
    const [late] = offered.filter(({ call }) => call === "late")
    if (late !== undefined && lived !== null && trap.at < (starts.at(-1) ?? 0) && poisonedBy(steps, trap)) {
      if (counts.late > 0) wrongs.push("an op was begun though a log had failed")
      const typed = lived.told.some(({ kind, message, subject }) =>
        (kind === "op.refused" || kind === "op.failed") && subject === nameOf(late.signed) &&
        message.includes("refused (store)") && message.includes("until it is opened anew")
      )
      if (!typed) wrongs.push("the next op was not refused because of the store")
    }
    const verdict = yield* judged(scene, { ...left, reached }, reviveHere)
    return {
      step: `${trap.how} at ${sprung ?? `step ${trap.at}`}`,
      outcomes: verdict.outcomes,
      wrongs: [...wrongs, ...verdict.wrongs]
    }
  })

/** Every second of these: a share for when there is no time for all. */
const everyNth = <A>(all: ReadonlyArray<A>, nth: number): ReadonlyArray<A> => all.filter((_, at) => at % nth === 0)

/** As many hosts as the machine has to spare, and each takes the next point when it has done one. */
const hosts = 2

export interface Asked {
  /** Of every point, only each so-manieth. 1 takes all. */
  readonly nth: number
  /** How each point is made: of the ways to do it, one after the other, or all. */
  readonly ways: "each" | "in turn"
}

export const trapsAt = (
  steps: number,
  ways: readonly [Trap["how"], Trap["how"]],
  asked: Asked
): ReadonlyArray<Trap> => {
  const numbers = everyNth(Array.from({ length: steps }, (_, at) => at), asked.nth)
  return asked.ways === "each"
    ? numbers.flatMap((at) => ways.map((how) => ({ at, how })))
    : numbers.map((at, index) => ({ at, how: ways[index % 2 === 0 ? 0 : 1] }))
}

/** What a system call is in the steps that are counted inside. */
const stepsOfCall = { pwrite64: "write", fdatasync: "fdatasync", fsync: "sync", rename: "rename" } as const

const killings = (
  program: string,
  revive: Revive,
  killersFor: (steps: ReadonlyArray<string>) => ReadonlyArray<Killer>
): Effect.Effect<ReadonlyArray<Point>, Failed, Scope.Scope> =>
  Effect.gen(function*() {
    const scenes = yield* Effect.replicateEffect(makeScene, hosts)
    const [first] = scenes
    const steps = first === undefined ? [] : yield* stepsOf(first, killedOps)
    if (steps.filter((step) => step === "open journal.log.new").length < 2) {
      return yield* Effect.fail({ message: "the journal was not written anew in the middle of the life" })
    }
    const free = [...scenes]
    return yield* Effect.forEach(killersFor(steps), (killer) =>
      Effect.acquireUseRelease(
        Effect.sync(() => free.pop()),
        (scene) =>
          scene === undefined ? Effect.dieMessage("no host is free") : killedBy(scene, program, killer, revive),
        (scene) => Effect.sync(() => (scene === undefined ? undefined : free.push(scene)))
      ), { concurrency: hosts })
  })

/**
 * Kills an agent at every durable step of taking on and doing two ops: of opening its stores, of accepting, spending, journalling,
 * telling and compacting. `program` is where crash-host.js stands; `revive` how it is started again.
 */
export const kills = (
  program: string,
  asked: Asked,
  revive: Revive = reviveHere
): Effect.Effect<ReadonlyArray<Point>, Failed, Scope.Scope> =>
  killings(program, revive, (steps) =>
    trapsAt(steps.length, ["kill before", "kill after"], asked).map((trap) => ({
      name: `${trap.how} step ${trap.at}`,
      trap,
      wrapper: []
    })))

/** The same from outside: the kernel kills the agent as it asks for something to be made durable, or to get its name. */
export const tracedKills = (
  program: string,
  asked: Asked
): Effect.Effect<ReadonlyArray<Point>, Failed, Scope.Scope> =>
  killings(program, reviveHere, (steps) =>
    tracedCalls.flatMap((call) => {
      const times = steps.filter((step) => step.startsWith(`${stepsOfCall[call]} `)).length
      return everyNth(Array.from({ length: times }, (_, at) => at + 1), asked.nth).map((time) => ({
        name: `${call} number ${time}`,
        trap: null,
        wrapper: killedIn(call, time)
      }))
    }))

/** Lets every durable step of three ops fail, with EIO and with ENOSPC. One after the other, in this process. */
export const failures = (asked: Asked): Effect.Effect<ReadonlyArray<Point>, Failed, Scope.Scope> =>
  Effect.gen(function*() {
    const scene = yield* makeScene
    const steps = yield* stepsOf(scene, faultyOps)
    return yield* Effect.forEach(
      trapsAt(steps.length, ["EIO", "ENOSPC"], asked),
      (trap) => failedAt(scene, trap)
    )
  })

/** So many nonces more, so that every life comes to the end of it. */
const some = 2_000

/** The first time is at the start, as with every log. */
const rewriting = { step: "open nonces.log.new", time: 2 }

/** Kills a process at every step of a record of nonces that grows until it is written anew, or only at those of that. */
export const spendingKills = (
  program: string,
  asked: Asked & { readonly from: "the beginning" | "the rewrite" }
): Effect.Effect<ReadonlyArray<Point>, Failed, Scope.Scope> =>
  Effect.gen(function*() {
    const scene = yield* makeScene
    const spends: Spends = {
      count: enoughToCompact + some,
      writes: asked.from === "the rewrite" ? "shared" : "one each"
    }
    const planned = (trap: Trap | null) =>
      Effect.map(scene.folder, (folder) => ({ home: scene.homeAt(folder, []), trap, spends }))
    const { reports: [report] } = yield* inProcess(program, [yield* planned(null)])
    const steps = report?.steps ?? []
    const rewrite = steps.lastIndexOf(rewriting.step)
    if (rewrite <= steps.indexOf(rewriting.step)) {
      return yield* Effect.fail({ message: "the record of nonces was not written anew" })
    }
    // What is written after that is there so that a life with some writes less has such a step, too.
    const end = steps.indexOf("sync .", rewrite) + 1
    const from = asked.from === "the rewrite" ? rewriting : undefined
    const traps = trapsAt(from === undefined ? end : end - rewrite, ["kill before", "kill after"], asked)
    return yield* Effect.forEach(traps, ({ at, how }) =>
      Effect.gen(function*() {
        const plan = yield* planned({ at, how, from })
        const { lastWords, signal, spent } = yield* inProcess(program, [plan])
        const wrongs = yield* spendingWrongs(plan.home, spent, scene.trust.opEpoch)
        return {
          step: lastWords,
          outcomes: [`${spent} spent`],
          wrongs: signal === "SIGKILL" ? wrongs : [...wrongs, "nobody was killed"]
        }
      }), { concurrency: hosts })
  })
