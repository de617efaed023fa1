import { HostEpoch } from "@felhom/domain/HostId"
import { Crypto } from "@felhom/domain/port/Crypto"
import type { FileSteps } from "@felhom/domain/port/FileSteps"
import { EpochMillis } from "@felhom/domain/Time"
import { Clock, Context, Effect, Layer, Option, Schema, type Scope } from "effect"
import * as DurableLog from "./DurableLog.ts"
import { DurableLogError } from "./DurableLogError.ts"
import {
  decodeNonceRecord,
  encodeAnchored,
  encodeBlocks,
  encodeMoved,
  encodeSpent,
  type NonceRecord
} from "./NonceRecord.ts"
import { type NonceKey, NonceTable } from "./NonceTable.ts"

/** The nonce was spent before: the op that carries it may have been done, and is not done again. */
export class NonceSpent extends Schema.TaggedError<NonceSpent>()("NonceSpent", { nonce: Schema.String }) {
  override get message(): string {
    return `the nonce ${this.nonce} was used before on this host; sign the operation again, with a new one`
  }
}

/** The host's clock was set back: what has expired by it can't be told. */
export class ClockBehind extends Schema.TaggedError<ClockBehind>()("ClockBehind", {
  now: EpochMillis,
  lastSeen: EpochMillis
}) {
  override get message(): string {
    return `the clock says ${new Date(this.now).toISOString()} and has said ${
      new Date(this.lastSeen).toISOString()
    } before; set it right (timedatectl). If the later time was the wrong one, an operator signs store.reanchor`
  }
}

/** How far the clock may stand behind the latest time it has shown, in ms (protocol 5). */
export const behindTolerance: number = 5 * 60_000

/** How long a spent nonce is kept beyond the expiry of its op, in ms (protocol 5). */
export const keptBeyondExpiry: number = 7 * 24 * 3_600_000

/**
 * Which nonces were spent on this host. A nonce is on the disk before `spend` answers, and so before the effect that it is
 * spent for; it is never forgotten while the op that it belongs to could still be believed.
 *
 * It also holds what says that this record is the one it was: `hostEpoch`, made anew whenever the record was lost or given up,
 * and `storeSeq`, which only goes up, so that a disk that was rolled back is noticed.
 *
 * The file is opened at the first use. While it can't be, everything here fails, and nothing is destroyed on this host.
 */
export class NonceStore extends Context.Tag("felhom/durable/NonceStore")<NonceStore, {
  /** Every signed op names it (protocol 5). */
  readonly hostEpoch: Effect.Effect<HostEpoch, DurableLogError>
  /** The number of the last change that is on the disk. */
  readonly storeSeq: Effect.Effect<number, DurableLogError>
  /** Whether it was, or is just being, spent. */
  readonly isSpent: (nonce: string) => Effect.Effect<boolean, DurableLogError>
  /** Spends the nonce of an op that expires then. Of all who try, over all crashes, it succeeds for one at most. */
  readonly spend: (nonce: string, expires: EpochMillis) => Effect.Effect<void, NonceSpent | DurableLogError>
  /** The latest time that the host's clock has shown; to be asked for regularly, as that is how it goes on. */
  readonly lastSeenTime: Effect.Effect<EpochMillis, DurableLogError>
  /** The present time, unless the clock stands more than `behindTolerance` behind the latest that it has shown. */
  readonly trustedTime: Effect.Effect<EpochMillis, ClockBehind | DurableLogError>
  /** Makes a new epoch and forgets the old one's nonces and times: every op signed before is void. */
  readonly reanchor: Effect.Effect<HostEpoch, DurableLogError>
  /** How many nonces are held. */
  readonly size: Effect.Effect<number, DurableLogError>
}>() {}

interface State {
  table: NonceTable
  epoch: string
  /** The last number given out, and the last that is on the disk. */
  seq: number
  lastSeen: number
  unexplained: number
}

const load = (path: string) => (records: ReadonlyArray<Uint8Array>, id: string) =>
  Effect.suspend(() => {
    let expected = 0
    const decoded: Array<NonceRecord> = []
    for (const record of records) {
      const found = decodeNonceRecord(record)
      if (Option.isNone(found)) {
        return new DurableLogError({ reason: "unreadable", path, detail: `a record of kind ${record[0]} is not known` })
      }
      expected += found.value._tag === "block" ? found.value.count : 1
      decoded.push(found.value)
    }
    const state: State = { table: new NonceTable(expected), epoch: id, seq: 0, lastSeen: 0, unexplained: 0 }
    for (const record of decoded) replay(state, record)
    return Effect.succeed(state)
  })

const replay = (state: State, record: NonceRecord): void => {
  if (record._tag === "block") return record.addTo(state.table)
  state.seq = Math.max(state.seq, record.seq)
  state.lastSeen = record.lastSeen
  if (record._tag === "spent") state.table.add(...record.key, record.until)
  if (record._tag === "moved") state.unexplained = record.unexplained
  if (record._tag === "anchored") {
    state.table = new NonceTable()
    state.epoch = record.epoch
    state.unexplained = 0
  }
}

/** Up to when, in seconds, nonces can be forgotten: by time that has passed for sure, not by what a clock jumped to. */
const forgottenBefore = (state: State): number => Math.floor((state.lastSeen - state.unexplained) / 1000)

const kept = (state: State): ReadonlyArray<Uint8Array> => [
  encodeAnchored(state),
  ...encodeBlocks(state.table, forgottenBefore(state)),
  encodeMoved(state)
]

const longestTime = 2 ** 32 - 1

const keptUntil = (expires: number): number =>
  Math.max(1, Math.min(longestTime, Math.ceil((expires + keptBeyondExpiry) / 1000)))

// What the clock may gain on the count of the time that passed, by being set right, before that is called a jump.
const jumpTolerance = 2 * 60_000

// The clock's progress is written down this often, beside what each spent nonce writes down.
const writtenEvery = 5 * 60_000

// A file that has grown to this many times of what it was is rewritten; below the size, it is not worth it.
const rewriteFactor = 2
const rewriteFrom = 1024 * 1024

const openStore = (directory: string, broken?: DurableLog.Broken) =>
  Effect.gen(function*() {
    const crypto = yield* Crypto
    const name = "nonces"
    const { loaded: state, log } = yield* DurableLog.open({
      directory,
      name,
      load: load(`${directory}/${name}.log`),
      keep: kept,
      broken
    })
    // What was dropped from the file need not stay in memory either.
    state.table = yield* slimmed(state)
    let onDisk = state.seq
    let writtenAt = state.lastSeen
    let sizeAtRewrite = yield* log.size
    const monotonic = Effect.map(Clock.currentTimeNanos, (nanos) => Number(nanos / 1_000_000n))
    let countedAt = yield* monotonic
    let starting = state.lastSeen > 0

    const writeDown = (seq: number, record: Uint8Array) =>
      Effect.tap(log.append(record), () => {
        onDisk = Math.max(onDisk, seq)
      })
    const next = (): number => (state.seq += 1)

    const alone = yield* Effect.makeSemaphore(1)
    const rewriteIfLarge = Effect.gen(function*() {
      const size = yield* log.size
      if (size < rewriteFrom || size < rewriteFactor * sizeAtRewrite) return
      state.table = yield* slimmed(state)
      yield* log.rewrite(kept(state))
      sizeAtRewrite = yield* log.size
    })

    /** Takes in what the clock says, without writing it down. */
    const look = Effect.zipWith(Clock.currentTimeMillis, monotonic, (now, counted) => {
      // How long the agent was away, only the clock can say.
      const passed = starting ? 0 : counted - countedAt + jumpTolerance
      const gained = now - state.lastSeen
      if (gained > passed && state.lastSeen > 0) state.unexplained += gained - (starting ? 0 : counted - countedAt)
      starting = false
      countedAt = counted
      state.lastSeen = Math.max(state.lastSeen, now)
      return EpochMillis.make(now)
    })
    const writeMoved = Effect.gen(function*() {
      const { lastSeen, unexplained } = state
      const seq = next()
      yield* writeDown(seq, encodeMoved({ lastSeen, unexplained, seq }))
      writtenAt = lastSeen
      yield* alone.withPermits(1)(rewriteIfLarge)
    })
    const lookAndWrite = Effect.filterOrElse(
      look,
      () => state.lastSeen - writtenAt < writtenEvery,
      (now) => Effect.as(writeMoved, now)
    )

    const keyOf = (nonce: string): Effect.Effect<NonceKey> =>
      Effect.map(crypto.sha256(nonce), (hash) => {
        const word = (index: number) => Number.parseInt(hash.slice(8 * index, 8 * index + 8), 16)
        return [word(0), word(1), word(2), word(3)]
      })

    return NonceStore.of({
      hostEpoch: Effect.sync(() => HostEpoch.make(state.epoch)),
      storeSeq: Effect.sync(() => onDisk),
      isSpent: (nonce) => Effect.map(keyOf(nonce), (key) => state.table.has(key)),
      spend: (nonce, expires) =>
        Effect.uninterruptible(Effect.gen(function*() {
          yield* log.hasRoom
          const key = yield* keyOf(nonce)
          yield* look
          const until = keptUntil(expires)
          // Taken in memory first: of two at once the second is refused, whatever becomes of the first one's write.
          if (!state.table.add(...key, until)) return yield* new NonceSpent({ nonce })
          const seq = next()
          yield* writeDown(seq, encodeSpent({ key, until, lastSeen: state.lastSeen, seq }))
          yield* alone.withPermits(1)(rewriteIfLarge)
        })),
      lastSeenTime: Effect.map(lookAndWrite, () => EpochMillis.make(state.lastSeen)),
      trustedTime: Effect.filterOrFail(
        lookAndWrite,
        (now) => state.lastSeen - now <= behindTolerance,
        (now) => new ClockBehind({ now, lastSeen: EpochMillis.make(state.lastSeen) })
      ),
      reanchor: Effect.uninterruptible(Effect.gen(function*() {
        const epoch = yield* crypto.randomHex(16)
        const lastSeen = yield* Clock.currentTimeMillis
        const seq = next()
        const anchored: NonceRecord = { _tag: "anchored", epoch, lastSeen, seq }
        yield* writeDown(seq, encodeAnchored(anchored))
        replay(state, anchored)
        return HostEpoch.make(epoch)
      })),
      size: Effect.sync(() => state.table.size)
    })
  })

/** The table without what may be forgotten. */
const slimmed = (state: State): Effect.Effect<NonceTable> =>
  Effect.sync(() => {
    const after = forgottenBefore(state)
    let stay = 0
    state.table.forEach((slots, at) => {
      if (slots[at + 4]! > after) stay += 1
    })
    if (stay === state.table.size) return state.table
    const table = new NonceTable(stay)
    state.table.forEach((slots, at) => {
      if (slots[at + 4]! > after) table.add(slots[at]!, slots[at + 1]!, slots[at + 2]!, slots[at + 3]!, slots[at + 4]!)
    })
    return table
  })

type Store = typeof NonceStore.Service

/** Keeps `nonces.log` in the state folder, whose lock the caller holds. */
export const make = (
  directory: string,
  broken?: DurableLog.Broken
): Effect.Effect<Store, never, FileSteps | Crypto | Scope.Scope> =>
  Effect.map(DurableLog.openOnce(openStore(directory, broken)), (opened) => {
    const use = <A, E>(f: (store: Store) => Effect.Effect<A, E>) => Effect.flatMap(opened, f)
    return NonceStore.of({
      hostEpoch: use((store) => store.hostEpoch),
      storeSeq: use((store) => store.storeSeq),
      isSpent: (nonce) => use((store) => store.isSpent(nonce)),
      spend: (nonce, expires) => use((store) => store.spend(nonce, expires)),
      lastSeenTime: use((store) => store.lastSeenTime),
      trustedTime: use((store) => store.trustedTime),
      reanchor: use((store) => store.reanchor),
      size: use((store) => store.size)
    })
  })

/** What `make` keeps. */
export const layer = (directory: string): Layer.Layer<NonceStore, never, FileSteps | Crypto> =>
  Layer.scoped(NonceStore, make(directory)).pipe(Layer.ensureRequirementsType<FileSteps | Crypto>())
