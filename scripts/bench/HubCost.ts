import { cycle, freshMemory } from "@felhom/agent/Cycle"
import { envelopeType } from "@felhom/domain/Envelope"
import type { HostReport } from "@felhom/domain/HostReport"
import { NodeName } from "@felhom/domain/ProxmoxId"
import { EpochMillis } from "@felhom/domain/Time"
import { HubClient } from "@felhom/hub-client/HubClient"
import { Effect, Layer, Logger, LogLevel, Schema } from "effect"
import { randomBytes } from "node:crypto"
import { once } from "node:events"
import { readdirSync, statSync } from "node:fs"
import { Agent, request } from "node:https"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import type { Figure } from "./Figure.ts"
import { cpuMillis, dist, firstLine, pause, reference, run, start, stop } from "./Process.ts"
import { makeFolder, removeFolder } from "./Stage.ts"
import { median } from "./Statistics.ts"
import { world } from "./World.ts"

/** The first reports of an agent on the simulated host: the first has the inventory, the next ones leave it out. */
const takeReports = (count: number): Effect.Effect<ReadonlyArray<HostReport>> => {
  const taken: Array<HostReport> = []
  const hub = Layer.succeed(HubClient, {
    exchange: (report) => {
      taken.push(report)
      return Effect.succeed({
        typ: envelopeType,
        host: report.host.id,
        hostEpoch: report.host.epoch,
        serverTime: EpochMillis.make(0),
        nextReportSeconds: 30,
        acked: report.events.at(-1)?.seq ?? 0,
        ops: [],
        signers: []
      })
    }
  })
  return Effect.gen(function*() {
    let memory = freshMemory
    for (let index = 0; index < count; index++) {
      memory = yield* cycle({ node: NodeName.make("demo-felhom"), bootId: null }, memory)
    }
    return taken
  }).pipe(Effect.provide(Layer.mergeAll(world, hub, Logger.minimumLogLevel(LogLevel.None))))
}

const Ready = Schema.parseJson(Schema.Struct({ url: Schema.String }))

/** One of the hub's hosts, as it were. */
interface Sender {
  readonly id: string
  readonly token: string
}

interface Letter {
  readonly sender: Sender
  readonly body: Buffer
}

/** Sends reports over one kept connection, one after the other. */
const sendAll = async (url: string, letters: ReadonlyArray<Letter>): Promise<void> => {
  // The hub is our own, on loopback, and was started a moment ago.
  const agent = new Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false })
  for (const { body, sender } of letters) {
    const sent = request(`${url}/api/v1/hosts/${sender.id}/report`, {
      agent,
      method: "POST",
      headers: {
        authorization: `Bearer ${sender.token}`,
        "content-type": "application/json",
        "content-encoding": "gzip",
        "content-length": body.length
      }
    })
    const answered = once(sent, "response")
    sent.end(body)
    const [answer] = await answered
    answer.resume()
    await once(answer, "end")
    if (answer.statusCode !== 200) throw new Error(`the hub answered a report with ${answer.statusCode}`)
  }
  agent.destroy()
}

const reportOf = (report: HostReport, id: string, sequence: number): string =>
  JSON.stringify({
    ...report,
    host: { ...report.host, id, epoch: id },
    sequence,
    takenAt: report.takenAt + sequence * 30_000
  })

// A hub takes at most ten reports at once from a host and one a second in the long run, so there are many hosts, and pauses.
const hosts = 40
const warmUpRounds = 8
const rounds = 3
const reportsARound = 3
const pauseMillis = reportsARound * 1000
const steadyReports = 8

const sizeOf = (folder: string): number =>
  readdirSync(folder, { recursive: true, withFileTypes: true }).reduce(
    (sum, entry) => sum + (entry.isFile() ? statSync(join(entry.parentPath, entry.name)).size : 0),
    0
  )

const makeSenders = async (data: string): Promise<ReadonlyArray<Sender>> => {
  const senders: Array<Sender> = []
  for (let index = 0; index < hosts; index++) {
    const args = ["token", "create", "--data", data, "--role", "host", "--label", `bench ${index}`]
    const { output } = await run(join(dist, "hub.js"), args)
    senders.push({ id: randomBytes(16).toString("hex"), token: output.trim() })
  }
  return senders
}

const withHub = async <A>(data: string, use: (url: string, pid: number) => Promise<A>): Promise<A> => {
  const hub = start(join(dist, "hub.js"), ["serve", "--listen", "127.0.0.1:0", "--data", data])
  try {
    const { url } = Schema.decodeSync(Ready)(await firstLine(hub))
    return await use(url, hub.pid)
  } finally {
    await stop(hub)
  }
}

/** What a report costs the hub: processor time, and bytes that stay. */
export const measure = async (): Promise<ReadonlyArray<Figure>> => {
  const [full, , steady] = await Effect.runPromise(takeReports(3))
  if (full === undefined || steady === undefined) throw new Error("the agent made no reports to send")
  const folder = makeFolder()
  const data = join(folder, "hub")
  const senders = await makeSenders(data)
  const sequence = { last: 0 }
  /** So many reports of each host, host after host. */
  const letters = (report: HostReport, each: number): ReadonlyArray<Letter> =>
    Array.from({ length: each }, () => {
      sequence.last += 1
      return senders.map((sender) => ({ sender, body: gzipSync(reportOf(report, sender.id, sequence.last)) }))
    }).flat()
  const sample = reportOf(full, senders[0]?.id ?? "", 1)
  const fullSize = gzipSync(sample).length

  const cpu = await withHub(data, async (url, pid) => {
    const ours: Array<number> = []
    const theirs: Array<number> = []
    for (let round = 0; round < warmUpRounds; round++) {
      await sendAll(url, letters(full, reportsARound))
      await pause(pauseMillis)
    }
    for (let round = 0; round < rounds; round++) {
      const ready = letters(full, reportsARound)
      const before = cpuMillis(pid)
      await sendAll(url, ready)
      ours.push((cpuMillis(pid) - before) / ready.length)
      const { output } = await run(reference("parse.mjs"), [gzipSync(sample).toString("base64"), String(ready.length)])
      theirs.push(Number(output))
      await pause(pauseMillis)
    }
    return { ours, theirs }
  })
  // The hub is stopped, and its log is in its store.
  const before = sizeOf(data)
  const steadyLetters = letters(steady, steadyReports)
  await withHub(data, (url) => sendAll(url, steadyLetters))
  const stored = (sizeOf(data) - before) / steadyLetters.length
  removeFolder(folder)

  return [
    {
      id: "F1",
      name: "the hub's processor time a full report, commit included / gunzip and JSON.parse of the same body",
      value: median(cpu.ours) / median(cpu.theirs),
      unit: "x",
      gate: 9,
      goal: 3,
      detail: `${median(cpu.ours).toFixed(2)} ms / ${median(cpu.theirs).toFixed(3)} ms, ${rounds} rounds of ` +
        `${reportsARound * hosts}, ${sample.length} bytes unpacked, over one kept TLS connection`
    },
    {
      id: "F4",
      name: "bytes stored a steady report / gzip of the full report",
      value: stored / fullSize,
      unit: "x",
      gate: 1,
      goal: 0.1,
      detail: `${stored.toFixed(0)} / ${fullSize} bytes; ${steadyLetters.length} reports of ` +
        `${steadyLetters[0]?.body.length ?? 0} bytes of ${hosts} hosts, growth of the store's files between two stops`
    }
  ]
}
