import { HostId } from "@felhom/domain/HostId"
import { HostReport } from "@felhom/domain/HostReport"
import * as Ingest from "@felhom/hub/Ingest"
import { Clock, Effect, Logger, LogLevel, Schema } from "effect"
import { readdirSync, statSync } from "node:fs"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import type { Figure } from "./Figure.ts"
import { hosts, letters, makeSenders, sendAll, storeLayer, withHub } from "./HubStage.ts"
import { cpuMillis, pause, reference, run } from "./Process.ts"
import { makeFolder, removeFolder } from "./Stage.ts"
import { standardReport } from "./StandardReport.ts"
import { median } from "./Statistics.ts"

const warmUpRounds = 10
const rounds = 7
const day = 86_400_000

/** So many connections at once in F1b, as when many hosts report in the same moment. */
const connectionsAtOnce = 16

const measureCpu = async (data: string) => {
  const senders = await makeSenders(data)
  const sample = gzipSync(standardReport(senders[0]?.id ?? "", 1, Date.now(), true)).toString("base64")
  return withHub(data, async (url, pid) => {
    const alone: Array<number> = []
    const together: Array<number> = []
    const theirs: Array<number> = []
    let sequence = 0
    const round = async (into: Array<number>, connections: number) => {
      const ready = await letters(senders, ++sequence, true)
      const before = cpuMillis(pid)
      await sendAll(url, ready, connections)
      into.push((cpuMillis(pid) - before) / ready.length)
    }
    for (let warmUp = 0; warmUp < warmUpRounds; warmUp++) {
      await round([], warmUp % 2 === 0 ? 1 : connectionsAtOnce)
      // A host's bucket is full again for what is measured.
      await pause(500)
    }
    for (let index = 0; index < rounds; index++) {
      await round(alone, 1)
      const { output } = await run(reference("parse.mjs"), [sample, "3000"])
      theirs.push(Number(output))
      await round(together, connectionsAtOnce)
      await pause(1000)
    }
    return { alone, together, theirs }
  })
}

const sizeOf = (folder: string): number =>
  readdirSync(folder, { recursive: true, withFileTypes: true }).reduce(
    (sum, entry) => sum + (entry.isFile() ? statSync(join(entry.parentPath, entry.name)).size : 0),
    0
  )

/** A clock that stands where it is put. */
const clockAt = (time: { now: number }): Clock.Clock => ({
  ...Clock.make(),
  unsafeCurrentTimeMillis: () => time.now,
  currentTimeMillis: Effect.sync(() => time.now)
})

const reportsADay = 2880

/** A host's reports from one moment on, every half minute, into the hub's own store, past its server. */
const reportFor = (data: string, time: { now: number }, first: number, count: number): Promise<void> => {
  const host = HostId.make("5".repeat(32))
  return Effect.runPromise(
    Effect.gen(function*() {
      const ingest = yield* Ingest.Ingest
      for (let step = first; step < first + count; step++) {
        const text = standardReport(host, step, time.now, step === 1)
        const report = yield* Schema.decode(Schema.parseJson(HostReport))(text)
        yield* ingest.accept(report, gzipSync(text), "s".repeat(300))
        time.now += 30_000
      }
    }).pipe(
      Effect.withClock(clockAt(time)),
      Effect.provide([storeLayer(data), Logger.minimumLogLevel(LogLevel.None)])
    )
  )
}

/** What a host's steady day leaves behind, after a day that filled what is always there. */
const measureBytes = async (data: string) => {
  const time = { now: 20_000 * day }
  await reportFor(data, time, 1, reportsADay)
  const before = sizeOf(data)
  await reportFor(data, time, reportsADay + 1, reportsADay)
  return sizeOf(data) - before
}

/** What a report costs the hub: processor time, and bytes that stay. */
export const measure = async (): Promise<ReadonlyArray<Figure>> => {
  const folder = makeFolder()
  const cpu = await measureCpu(join(folder, "hub"))
  const grown = await measureBytes(join(folder, "day"))
  removeFolder(folder)
  const sample = standardReport("5".repeat(32), 1, day, true)
  const fullSize = gzipSync(sample).length
  const stored = grown / reportsADay
  const theirs = median(cpu.theirs)
  const about =
    `${rounds} rounds of ${hosts} reports of as many hosts, after ${warmUpRounds}; ${sample.length} bytes unpacked, 20 ` +
    "guests, signed by accepted keys, over TLS"

  return [
    {
      id: "F1",
      name: "the hub's processor time a full report, commit included / gunzip and JSON.parse of the same body",
      value: median(cpu.alone) / theirs,
      unit: "x",
      gate: 9,
      goal: 3,
      detail: `${median(cpu.alone).toFixed(3)} ms / ${theirs.toFixed(3)} ms, one connection; ${about}`
    },
    {
      id: "F1b",
      name: "the same, when reports come over many connections at once",
      value: median(cpu.together) / theirs,
      unit: "x",
      gate: null,
      goal: null,
      detail: `${median(cpu.together).toFixed(3)} ms / ${theirs.toFixed(3)} ms, ${connectionsAtOnce} connections`
    },
    {
      id: "F4",
      name: "bytes stored a steady report / gzip of the full report",
      value: stored / fullSize,
      unit: "x",
      gate: 1,
      goal: 0.1,
      detail:
        `${stored.toFixed(1)} / ${fullSize} bytes; growth of the store's files over the second day of a host that ` +
        `reports ${reportsADay} times, on a virtual clock`
    }
  ]
}
