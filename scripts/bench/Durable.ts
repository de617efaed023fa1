import * as DurableLog from "@felhom/durable/DurableLog"
import type { DurableLogError } from "@felhom/durable/DurableLogError"
import { encodeFrames, magic } from "@felhom/durable/LogFormat"
import { encodeBlocks } from "@felhom/durable/NonceRecord"
import * as NonceStore from "@felhom/durable/NonceStore"
import { NonceTable } from "@felhom/durable/NonceTable"
import * as NodeCrypto from "@felhom/node/NodeCrypto"
import * as NodeFileSteps from "@felhom/node/NodeFileSteps"
import { Effect, Layer } from "effect"
import { randomFillSync } from "node:crypto"
import { closeSync, constants, fdatasyncSync, openSync, write, writeFileSync, writeSync } from "node:fs"
import { join } from "node:path"
import type { Figure } from "./Figure.ts"
import { makeFolder, removeFolder } from "./Stage.ts"
import { median, ratio } from "./Statistics.ts"

const rounds = 11
// Several times what fills the room that a log makes at once, so that what it costs to make is in the figure with its true share,
// and so many that what is compiled meanwhile is no part of it to speak of.
const records = 2500
const together = 64
// So many that what it takes to begin 64 fibers, and to compile what they do, is no part of the figure to speak of.
const groups = 40
const nonces = 1_000_000

const live = Layer.merge(NodeFileSteps.layer, NodeCrypto.layer)
const record = new Uint8Array(120).fill(7)

/** One write and one fdatasync of as many bytes at the end of a file, and nothing around them. */
const bare = (folder: string): number => {
  const fd = openSync(join(folder, "bare"), "w")
  const bytes = Buffer.alloc(record.length + 12, 7)
  const began = performance.now()
  for (let index = 0; index < records; index++) {
    writeSync(fd, bytes)
    fdatasyncSync(fd)
  }
  const millis = (performance.now() - began) / records
  closeSync(fd)
  return millis
}

/** A file of zeros, longer than all that is written to it then, so that nothing grows. */
const withRoom = (path: string, flags: number): number => {
  const made = openSync(path, "w", 0o600)
  writeSync(made, Buffer.alloc(2 * records * record.length))
  fdatasyncSync(made)
  closeSync(made)
  return openSync(path, constants.O_WRONLY | flags)
}

/**
 * The least that makes a record durable: the same into room that is there. For a file that grows the file system has more to write
 * down than the record.
 */
const bareInRoom = (folder: string): number => {
  const fd = withRoom(join(folder, "room"), 0)
  const bytes = Buffer.alloc(record.length + 12, 7)
  const began = performance.now()
  for (let index = 0; index < records; index++) {
    writeSync(fd, bytes, 0, bytes.length, index * bytes.length)
    fdatasyncSync(fd)
  }
  const millis = (performance.now() - began) / records
  closeSync(fd)
  return millis
}

/** The least that does so and lets the program go on meanwhile: one write to a file whose writes are durable. */
const bareWaiting = (folder: string): Promise<number> => {
  const fd = withRoom(join(folder, "waiting"), constants.O_DSYNC)
  const bytes = Buffer.alloc(record.length + 12, 7)
  return new Promise((resolve, reject) => {
    const began = performance.now()
    let done = 0
    const next = (error: Error | null): void => {
      if (error !== null) reject(error)
      else if (done < records) {
        done += 1
        write(fd, bytes, 0, bytes.length, (done - 1) * bytes.length, next)
      } else {
        const millis = (performance.now() - began) / records
        closeSync(fd)
        resolve(millis)
      }
    }
    next(null)
  })
}

const opened = (directory: string) =>
  DurableLog.open({ directory, name: "bench", load: () => Effect.void, keep: () => [] })

/** Milliseconds a record, one after the other and many at once. */
const ours = (folder: string) =>
  Effect.gen(function*() {
    const { log } = yield* opened(folder)
    const one = performance.now()
    for (let index = 0; index < records; index++) yield* log.append(record)
    const single = (performance.now() - one) / records
    // Whoever was answered appends at once again, so that there are always as many. To begin a fiber for each record would take
    // several times what the log does.
    const many = performance.now()
    yield* Effect.forEach(Array.from({ length: together }), () => Effect.repeatN(log.append(record), groups - 1), {
      concurrency: "unbounded",
      discard: true
    })
    return { single, grouped: (performance.now() - many) / groups / together }
  }).pipe(Effect.scoped, Effect.provide(live))

/** A store with a million nonces, as a restart finds it. */
const fill = (folder: string): Effect.Effect<void, DurableLogError> =>
  // Begun by the log itself, so that the beginning is right.
  Effect.scoped(DurableLog.open({ directory: folder, name: "nonces", load: () => Effect.void, keep: () => [] })).pipe(
    Effect.map(({ initRecord }) => {
      const table = new NonceTable(nonces)
      const words = randomFillSync(new Uint32Array(nonces * 4))
      for (let at = 0; at < words.length; at += 4) {
        table.add(words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!, 2 ** 32 - 1)
      }
      const file = Buffer.concat([magic, ...encodeFrames([initRecord, ...encodeBlocks(table, 0)])])
      writeFileSync(join(folder, "nonces.log"), file)
    }),
    Effect.provide(live)
  )

const held = (): number => {
  globalThis.gc?.()
  const { arrayBuffers, heapUsed } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

const openMillion = (folder: string) =>
  Effect.gen(function*() {
    const before = held()
    const began = performance.now()
    const store = yield* NonceStore.NonceStore
    const size = yield* store.size
    const millis = performance.now() - began
    // A turn of the loop, so that nothing of the opening is on the stack any more.
    yield* Effect.sleep(10)
    return { millis, size, bytes: (held() - before) / size }
  }).pipe(Effect.provide(Layer.provide(NonceStore.layer(folder), live)))

/** What durability costs: a record, many at once, and a start with a million spent nonces. */
export const measure = async (): Promise<ReadonlyArray<Figure>> => {
  const folder = makeFolder()
  const found: { [of in "bare" | "inRoom" | "waiting" | "single" | "grouped" | "open" | "bytes"]: Array<number> } = {
    bare: [],
    inRoom: [],
    waiting: [],
    single: [],
    grouped: [],
    open: [],
    bytes: []
  }
  for (let round = 0; round < rounds; round++) {
    found.bare.push(bare(folder))
    found.inRoom.push(bareInRoom(folder))
    found.waiting.push(await bareWaiting(folder))
    const { grouped, single } = await Effect.runPromise(ours(join(folder, "log")))
    found.single.push(single)
    found.grouped.push(grouped)
  }
  const million = join(folder, "million")
  await Effect.runPromise(fill(million))
  for (let round = 0; round < 3; round++) {
    const { bytes, millis, size } = await Effect.runPromise(openMillion(million))
    if (size !== nonces) throw new Error(`the store opened with ${size} nonces`)
    found.open.push(millis)
    found.bytes.push(bytes)
  }
  removeFolder(folder)
  const micros = (values: ReadonlyArray<number>): string => `${(median(values) * 1000).toFixed(0)} us`
  return [
    {
      id: "D1",
      name: "a durable record / write and fdatasync into room that is there",
      value: ratio(found.single, found.inRoom),
      unit: "x",
      gate: 1.6,
      goal: 1.15,
      detail: `${micros(found.single)} / ${micros(found.inRoom)}`
    },
    {
      id: "D1d",
      name: "a durable record / write and fdatasync at the end of a file that grows by it",
      value: ratio(found.single, found.bare),
      unit: "x",
      gate: null,
      goal: null,
      detail: `${micros(found.single)} / ${micros(found.bare)}`
    },
    {
      id: "D1c",
      name: "a durable record / the bare durable write into room that is there, which lets the program go on",
      value: ratio(found.single, found.waiting),
      unit: "x",
      gate: null,
      goal: null,
      detail: `${micros(found.single)} / ${micros(found.waiting)}`
    },
    {
      id: "D1b",
      name: "write and fdatasync into room that is there / a durable record: it does sync",
      value: ratio(found.inRoom, found.single),
      unit: "x",
      gate: 1 / 0.9,
      goal: null,
      detail: `${micros(found.inRoom)} / ${micros(found.single)}`
    },
    {
      id: "D2",
      name: `${together} records at once, each / one alone`,
      value: ratio(found.grouped, found.single),
      unit: "x",
      gate: 0.25,
      goal: 0.08,
      detail: `${micros(found.grouped)} / ${micros(found.single)}`
    },
    {
      id: "D3a",
      name: "opening a store of a million nonces, rewritten and synced",
      value: median(found.open) / 1000,
      unit: "s",
      gate: 1.5,
      goal: 0.5,
      detail: found.open.map((millis) => `${millis.toFixed(0)} ms`).join(", ")
    },
    {
      id: "D3b",
      name: "memory a nonce, of a million",
      // What an earlier store held may be freed only while a later one is measured; never the other way round.
      value: Math.max(...found.bytes),
      unit: "B",
      gate: 160,
      goal: 64,
      detail: globalThis.gc === undefined ? "heap and array buffers, without a forced collection" : "after a collection"
    }
  ]
}
