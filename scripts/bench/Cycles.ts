import { NodeFileSystem } from "@effect/platform-node"
import { cycle, freshMemory } from "@felhom/agent/Cycle"
import { proxmox } from "@felhom/agent/Live"
import { layerSource } from "@felhom/agent/Settings"
import { envelopeType } from "@felhom/domain/Envelope"
import { NodeName } from "@felhom/domain/ProxmoxId"
import { EpochMillis } from "@felhom/domain/Time"
import { HubClient } from "@felhom/hub-client/HubClient"
import * as NodeCrypto from "@felhom/node/NodeCrypto"
import * as Observer from "@felhom/reconciler/Observer"
import { Effect, Layer, Logger, LogLevel, Option, Schema } from "effect"
import { join } from "node:path"
import type { Figure } from "./Figure.ts"
import { dist, run, stop } from "./Process.ts"
import { makeFolder, removeFolder, startHost } from "./Stage.ts"
import { slopeOf } from "./Statistics.ts"
import { memoryState, noRoot } from "./World.ts"

const wanted = 20_000
// Until the heap has found its size.
const warmUpShare = 0.3
const cyclesASample = 50

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
}

const cycles = Effect.gen(function*() {
  const samples: Array<Sample> = []
  let memory = freshMemory
  for (let count = 1; count <= wanted; count++) {
    memory = yield* cycle({ node: NodeName.make("demo-felhom"), bootId: null }, memory)
    if (count % cyclesASample === 0) {
      // Room for what Node itself has to do between two cycles of a daemon.
      yield* Effect.sleep(0)
      samples.push({ cycles: count, rssKilobytes: process.memoryUsage.rss() / 1024 })
    }
  }
  return samples
})

/** The argument with which the bench runs itself as a process that only makes cycles. */
export const childName = "only-cycles"

/** The agent as it is shipped towards Proxmox, with a hub and a root side that cost nothing. */
const agent = Layer.mergeAll(
  Layer.provide(Observer.layer, Layer.merge(Layer.orDie(proxmox), noRoot)),
  memoryState,
  hub,
  Logger.minimumLogLevel(LogLevel.None)
).pipe(
  Layer.provideMerge(NodeCrypto.layer),
  Layer.provide(Layer.orDie(layerSource({ file: Option.none(), environment: process.env }))),
  Layer.provide(NodeFileSystem.layer)
)

/** Cycles without a pause, with the host that the environment names: prints what its memory was. */
export const child = async (): Promise<void> => {
  console.log(JSON.stringify(await Effect.runPromise(Effect.provide(cycles, agent))))
}

const figuresOf = (samples: ReadonlyArray<Sample>, seconds: number): ReadonlyArray<Figure> => {
  const last = samples.at(-1)
  const settled = samples.filter(({ cycles }) => cycles >= wanted * warmUpShare)
  const { confidence, slope } = slopeOf(settled.map((sample) => [sample.cycles, sample.rssKilobytes]))
  const megabytes = ((last?.rssKilobytes ?? 0) / 1024).toFixed(0)
  return [
    {
      id: "A4",
      name: "growth of resident memory, KB a cycle",
      value: slope,
      unit: "",
      gate: 1,
      goal: confidence,
      detail:
        `${slope.toFixed(3)} +- ${confidence.toFixed(3)} (95 %) over ${last?.cycles ?? 0} cycles in ${seconds} s, ` +
        `the first ${100 * warmUpShare} % left out; ${megabytes} MB at the end`
    }
  ]
}

const Samples = Schema.parseJson(
  Schema.Array(Schema.Struct({ cycles: Schema.Number, rssKilobytes: Schema.Number }))
)

/** Whether memory grows, by a process of its own beside one that is the host. */
export const measure = async (): Promise<ReadonlyArray<Figure>> => {
  const folder = makeFolder()
  const host = await startHost(folder)
  const program = await run(join(dist, "bench.js"), [childName], host.environment)
  await stop(host.running)
  removeFolder(folder)
  return figuresOf(Schema.decodeSync(Samples)(program.output), Math.round(program.millis / 1000))
}
