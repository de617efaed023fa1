import { Effect, Logger, LogLevel } from "effect"
import { crashStates, type Disk, formatDisk, makeModel, type Model, type Plant } from "./ModelFileSystem.ts"

/** Something that a program was told is done: from this moment on it holds, until what undoes it is begun. */
export interface Promised<Found> {
  /** The last moment of the model before the answer came. */
  readonly from: number
  /** The last moment before it was to be undone; none for what is never undone. */
  until?: number
  readonly what: string
  readonly holds: (found: Found) => boolean
}

/** A number from 0 to below 1, another each time. */
export type Random = () => number

/** A source of numbers that is the same for the same seed (mulberry32). */
export const seeded = (seed: number): Random => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

export const below = (random: Random, count: number): number => Math.floor(random() * count)

/** A program that keeps things on a disk. */
export interface Keeper<Found> {
  readonly name: string
  /** Starts on what is on the model's disk, does what `random` decides, and tells what it was promised. */
  readonly live: (model: Model, random: Random) => Effect.Effect<ReadonlyArray<Promised<Found>>>
  /** What a start on this model's disk finds; fails where it refuses to start. */
  readonly find: (model: Model) => Effect.Effect<Found, unknown>
}

/** What came of cutting the power. */
export interface Tally {
  /** Different disks of one life, over all lives: each was started from. */
  readonly states: number
  readonly lives: number
  readonly promises: number
  /** Promises that a start did not keep, and starts that were refused. Each with what it was. */
  readonly lost: ReadonlyArray<string>
  readonly refused: ReadonlyArray<string>
}

/** So many different faults are written down; a broken store has thousands of each. */
const mostKept = 20

/** Some records fit into the room that another made for them. */
const room = 256

const shown = (disk: Disk): string =>
  [...disk].map(([name, bytes]) => `${name.slice(name.lastIndexOf("/") + 1)} ${bytes.length} B`).join(", ")

interface Cut {
  states: number
  readonly lost: Array<string>
  readonly refused: Array<string>
  readonly survivors: Array<Disk>
}

/** Cuts the power after every step of a life, in every way that leaves another disk, and starts from what is left. */
const cutEverywhere = <Found>(
  keeper: Keeper<Found>,
  model: Model,
  promised: ReadonlyArray<Promised<Found>>,
  random: Random,
  plant: Plant | undefined
): Effect.Effect<Cut> =>
  Effect.gen(function*() {
    const cut: Cut = { states: 0, lost: [], refused: [], survivors: [] }
    const starts = new Map<string, Found | null>()
    for (const [moment, state] of model.moments.entries()) {
      // Whoever runs this must be heard from in between.
      yield* Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 0)))
      const due = promised.filter(({ from, until }) => from <= moment && (until === undefined || moment <= until))
      const seen = new Set<string>()
      for (const disk of crashStates(state)) {
        const key = formatDisk(disk)
        if (seen.has(key)) continue
        seen.add(key)
        const known = starts.get(key)
        const found = known === undefined ?
          yield* Effect.orElseSucceed(
            keeper.find(makeModel(disk, { plant, history: false, room })),
            () => null
          ) :
          known
        if (known === undefined) {
          starts.set(key, found)
          cut.states += 1
          if (found === null) cut.refused.push(`after step ${moment}: ${shown(disk)}`)
          else if (random() < 0.01 || cut.survivors.length === 0) cut.survivors.push(disk)
        }
        if (found === null) continue
        for (const { holds, what } of due) {
          if (!holds(found)) cut.lost.push(`${what}, after step ${moment}: ${shown(disk)}`)
        }
      }
    }
    return cut
  })

export interface Campaign {
  readonly seed: number
  /** It goes on until so many states were started from. */
  readonly states: number
  /** A life begins on what a power cut left of another; after so many, with an empty disk again. */
  readonly livesOnOneDisk: number
  /** A fault, to see that it shows. */
  readonly plant?: Plant
  /** Stops at the first life that shows a fault. */
  readonly untilFault?: boolean
}

/** Lives and power cuts, until there were enough. */
export const powerCuts = <Found>(
  keeper: Keeper<Found>,
  { plant, ...campaign }: Campaign
): Effect.Effect<Tally> =>
  Effect.gen(function*() {
    const random = seeded(campaign.seed)
    let disk: Disk = new Map()
    let states = 0
    let lives = 0
    let promises = 0
    const lost: Array<string> = []
    const refused: Array<string> = []
    while (states < campaign.states) {
      const model = makeModel(disk, { plant, room })
      const promised = yield* keeper.live(model, random)
      const cut = yield* cutEverywhere(keeper, model, promised, random, plant)
      lives += 1
      states += cut.states
      promises += promised.length
      lost.push(...cut.lost.slice(0, mostKept - lost.length))
      refused.push(...cut.refused.slice(0, mostKept - refused.length))
      if (campaign.untilFault === true && lost.length + refused.length > 0) break
      disk = lives % campaign.livesOnOneDisk === 0
        ? new Map()
        : cut.survivors[below(random, cut.survivors.length)] ?? new Map()
    }
    return { states, lives, promises, lost, refused }
  }).pipe(
    // Each of them says that a write was cut off.
    Effect.provide(Logger.minimumLogLevel(LogLevel.None))
  )
