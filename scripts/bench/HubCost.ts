import { HostId } from "@felhom/domain/HostId"
import { hostPublicKey, reportNamespace, signatureHeader } from "@felhom/domain/HostKey"
import { HostReport } from "@felhom/domain/HostReport"
import { Ed25519, type Ed25519Key } from "@felhom/domain/port/Ed25519"
import { NodeName } from "@felhom/domain/ProxmoxId"
import { signSshsig } from "@felhom/domain/Sshsig"
import * as Database from "@felhom/hub/Database"
import { DataFolder } from "@felhom/hub/DataFolder"
import * as HostKeyStore from "@felhom/hub/HostKeyStore"
import { HubSettings } from "@felhom/hub/HubSettings"
import * as Ingest from "@felhom/hub/Ingest"
import * as TokenStore from "@felhom/hub/TokenStore"
import * as NodeCrypto from "@felhom/node/NodeCrypto"
import * as NodeEd25519 from "@felhom/node/NodeEd25519"
import { Clock, Effect, Layer, Logger, LogLevel, Redacted, Schema } from "effect"
import { randomBytes } from "node:crypto"
import { once } from "node:events"
import { readdirSync, statSync } from "node:fs"
import { Agent, request } from "node:https"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import type { Figure } from "./Figure.ts"
import { cpuMillis, dist, firstLine, pause, reference, run, start, stop } from "./Process.ts"
import { makeFolder, removeFolder } from "./Stage.ts"
import { standardReport } from "./StandardReport.ts"
import { median } from "./Statistics.ts"

const Ready = Schema.parseJson(Schema.Struct({ url: Schema.String }))

/** One of the hub's hosts, let in as any other: a token of its own and an accepted key. */
interface Sender {
  readonly id: HostId
  readonly token: string
  readonly key: Ed25519Key
}

interface Letter {
  readonly sender: Sender
  readonly body: Buffer
  /** The SSHSIG blob over the unpacked body, in base64. */
  readonly signature: string
}

// A hub takes at most ten reports at once from a host and one a second in the long run, so there are many hosts.
const hosts = 500
const warmUpRounds = 10
const rounds = 7
const day = 86_400_000

const storeLayer = (data: string) =>
  Layer.mergeAll(TokenStore.layer, HostKeyStore.layer, Ingest.layer).pipe(
    Layer.provideMerge(Database.layer),
    Layer.provide([
      NodeCrypto.layer,
      DataFolder.layer(data),
      HubSettings.layer({ reportIntervalSeconds: 30, maxStoreBytes: 4 * 1024 ** 3 })
    ])
  )

/** What an enrolment leaves in the hub's store, by the hub's own services: to enrol so many over the API would take minutes. */
const letIn = Effect.gen(function*() {
  const tokens = yield* TokenStore.TokenStore
  const keys = yield* HostKeyStore.HostKeyStore
  const curve = yield* Ed25519
  const id = HostId.make(randomBytes(16).toString("hex"))
  const key = yield* curve.generate
  const publicKey = hostPublicKey(key.publicKey)
  yield* keys.wait({ host: id, publicKey, node: NodeName.make("attic"), agentVersion: "0.2.0" })
  yield* keys.accept(id, publicKey, "bench")
  const sender: Sender = { id, key, token: Redacted.value(yield* tokens.issue(id, "bench")) }
  return sender
})

const makeSenders = (data: string): Promise<ReadonlyArray<Sender>> =>
  Effect.runPromise(
    Effect.replicateEffect(letIn, hosts, { concurrency: 20 }).pipe(
      Effect.provide([storeLayer(data), NodeEd25519.layer])
    )
  )

const letter = (sender: Sender, text: string): Effect.Effect<Letter, never, Ed25519> => {
  const plain = Buffer.from(text)
  return Effect.map(signSshsig(sender.key, reportNamespace, plain), (blob) => ({
    sender,
    body: gzipSync(plain),
    signature: Buffer.from(blob).toString("base64")
  }))
}

/** One report of each host. */
const letters = (senders: ReadonlyArray<Sender>, sequence: number, withInventory: boolean) =>
  Effect.runPromise(
    Effect.provide(
      Effect.forEach(
        senders,
        (sender) => letter(sender, standardReport(sender.id, sequence, Date.now(), withInventory))
      ),
      NodeEd25519.layer
    )
  )

const post = async (url: string, agent: Agent, { body, sender, signature }: Letter): Promise<void> => {
  const sent = request(`${url}/api/v1/hosts/${sender.id}/report`, {
    agent,
    method: "POST",
    headers: {
      authorization: `Bearer ${sender.token}`,
      "content-type": "application/json",
      "content-encoding": "gzip",
      "content-length": body.length,
      [signatureHeader]: signature
    }
  })
  const answered = once(sent, "response")
  sent.end(body)
  const [answer] = await answered
  let text = ""
  answer.setEncoding("utf8").on("data", (part: string) => (text += part))
  await once(answer, "end")
  if (answer.statusCode !== 200) throw new Error(`the hub answered a report with ${answer.statusCode}: ${text}`)
}

/** Sends letters over so many kept connections, on each one after the other. */
const sendAll = async (url: string, all: ReadonlyArray<Letter>, connections: number): Promise<void> => {
  // The hub is our own, on loopback, and was started a moment ago.
  const agent = new Agent({ keepAlive: true, maxSockets: connections, rejectUnauthorized: false })
  await Promise.all(
    Array.from({ length: connections }, async (_, first) => {
      for (let index = first; index < all.length; index += connections) {
        const next = all[index]
        if (next !== undefined) await post(url, agent, next)
      }
    })
  )
  agent.destroy()
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
