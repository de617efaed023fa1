import { cycle, freshMemory } from "@felhom/agent/Cycle"
import { envelopeType } from "@felhom/domain/Envelope"
import { NodeName } from "@felhom/domain/ProxmoxId"
import { EpochMillis } from "@felhom/domain/Time"
import { HubClient } from "@felhom/hub-client/HubClient"
import { Effect, Layer, Logger, LogLevel, Schema } from "effect"
import { join } from "node:path"
import type { Figure } from "./Figure.ts"
import { dist, run } from "./Process.ts"
import { type Slope, slopeOf } from "./Statistics.ts"
import { world } from "./World.ts"

const wanted = 20_000
const limitMillis = 45_000
// Until the heap has found its size.
const warmUpShare = 0.3
const cyclesASample = 20

const hub = Layer.succeed(HubClient, {
  exchange: (report) =>
    Effect.succeed({
      typ: envelopeType,
      host: report.host.id,
      hostEpoch: report.host.epoch,
      serverTime: EpochMillis.make(0),
      nextReportSeconds: 30,
      acked: report.events.at(-1)?.seq ?? 0,
      ops: [],
      signers: []
    })
})

interface Sample {
  readonly cycles: number
  readonly rssKilobytes: number
  /** What is really held: on the heap and outside of it, after a collection. */
  readonly heldKilobytes: number
}

const cycles = Effect.gen(function*() {
  const samples: Array<Sample> = []
  const began = performance.now()
  let memory = freshMemory
  let count = 0
  while (count < wanted && performance.now() - began < limitMillis) {
    memory = yield* cycle({ node: NodeName.make("demo-felhom"), bootId: null }, memory)
    count += 1
    if (count % cyclesASample === 0) {
      // Room for what Node itself has to do between two cycles of a daemon.
      yield* Effect.sleep(0)
      globalThis.gc?.()
      const { external, heapUsed, rss } = process.memoryUsage()
      samples.push({ cycles: count, rssKilobytes: rss / 1024, heldKilobytes: (heapUsed + external) / 1024 })
    }
  }
  return samples
})

/** The argument with which the bench runs itself as a process that only makes cycles. */
export const childName = "only-cycles"

/** Cycles without a pause, in a process of its own with the simulated host: prints what its memory was. */
export const child = async (): Promise<void> => {
  const samples = await Effect.runPromise(
    Effect.provide(cycles, Layer.mergeAll(world, hub, Logger.minimumLogLevel(LogLevel.None)))
  )
  console.log(JSON.stringify(samples))
}

const figuresOf = (samples: ReadonlyArray<Sample>, seconds: number): ReadonlyArray<Figure> => {
  const last = samples.at(-1)
  const cycles = last?.cycles ?? 0
  const settled = samples.filter((sample) => sample.cycles >= cycles * warmUpShare)
  const held = slopeOf(settled.map((sample) => [sample.cycles, sample.heldKilobytes]))
  const rss = slopeOf(settled.map((sample) => [sample.cycles, sample.rssKilobytes]))
  const shown = ({ confidence, slope }: Slope): string => `${slope.toFixed(3)} +- ${confidence.toFixed(3)} (95 %)`
  return [
    {
      id: "A4",
      name: "growth of what is held after a collection, KB a cycle",
      value: held.slope,
      unit: "",
      gate: 1,
      goal: held.confidence,
      detail: `${shown(held)} over ${cycles} of ${wanted} cycles in ${seconds} s, host simulated in the same process`
    },
    {
      id: "A4b",
      name: "growth of resident memory, KB a cycle",
      value: rss.slope,
      unit: "",
      gate: cycles >= wanted ? 1 : null,
      goal: null,
      detail: `${shown(rss)}; ${
        ((last?.rssKilobytes ?? 0) / 1024).toFixed(0)
      } MB at the end; a gate only for a whole run`
    }
  ]
}

const Samples = Schema.parseJson(
  Schema.Array(Schema.Struct({ cycles: Schema.Number, rssKilobytes: Schema.Number, heldKilobytes: Schema.Number }))
)

/** Whether memory grows, by a process of its own. */
export const measure = async (): Promise<ReadonlyArray<Figure>> => {
  const program = await run(join(dist, "bench.js"), [childName], {}, ["--expose-gc"])
  return figuresOf(Schema.decodeSync(Samples)(program.output), Math.round(program.millis / 1000))
}
