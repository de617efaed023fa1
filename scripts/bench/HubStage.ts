import { HostId } from "@felhom/domain/HostId"
import { hostPublicKey, reportNamespace, signatureHeader } from "@felhom/domain/HostKey"
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
import { Effect, Layer, Redacted, Schema } from "effect"
import { randomBytes } from "node:crypto"
import { once } from "node:events"
import { Agent, request } from "node:https"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import { dist, firstLine, start, stop } from "./Process.ts"
import { standardReport } from "./StandardReport.ts"

const Ready = Schema.parseJson(Schema.Struct({ url: Schema.String }))

/** One of the hub's hosts, let in as any other: a token of its own and an accepted key. */
export interface Sender {
  readonly id: HostId
  readonly token: string
  readonly key: Ed25519Key
}

export interface Letter {
  readonly sender: Sender
  readonly body: Buffer
  /** The SSHSIG blob over the unpacked body, in base64. */
  readonly signature: string
}

// A hub takes at most ten reports at once from a host and one a second in the long run, so there are many hosts.
export const hosts = 500

/** The hub's store, without the hub. */
export const storeLayer = (data: string) =>
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

/** Hosts that are let in at the hub of this data folder, which is not running. */
export const makeSenders = (data: string): Promise<ReadonlyArray<Sender>> =>
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
export const letters = (senders: ReadonlyArray<Sender>, sequence: number, withInventory: boolean) =>
  Effect.runPromise(
    Effect.provide(
      Effect.forEach(
        senders,
        (sender) => letter(sender, standardReport(sender.id, sequence, Date.now(), withInventory))
      ),
      NodeEd25519.layer
    )
  )

/** Sends one, and fails unless it was taken. */
export const post = async (
  url: string,
  agent: Agent,
  { body, sender, signature }: Pick<Letter, "body" | "signature"> & {
    readonly sender: Pick<Sender, "id" | "token">
  }
): Promise<void> => {
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
export const sendAll = async (url: string, all: ReadonlyArray<Letter>, connections: number): Promise<void> => {
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

/** Runs the hub as it is shipped. */
export const withHub = async <A>(data: string, use: (url: string, pid: number) => Promise<A>): Promise<A> => {
  const hub = start(join(dist, "hub.js"), ["serve", "--listen", "127.0.0.1:0", "--data", data])
  try {
    const { url } = Schema.decodeSync(Ready)(await firstLine(hub))
    return await use(url, hub.pid)
  } finally {
    await stop(hub)
  }
}
