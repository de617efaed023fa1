import { HostId } from "@felhom/domain/HostId"
import { Schema } from "effect"
import { readFileSync, writeFileSync } from "node:fs"
import { Agent } from "node:https"
import { join } from "node:path"
import type { Figure } from "./Figure.ts"
import { hosts, type Letter, letters, makeSenders, post, withHub } from "./HubStage.ts"
import { dist, firstLine, pause, rssMegabytes, run, start, stop } from "./Process.ts"
import { makeFolder, removeFolder } from "./Stage.ts"
import { median, quantile } from "./Statistics.ts"

/** Ten thousand agents that report each half minute. */
const perSecond = 333
const warmUpRounds = 6
const measuredRounds = 14
/** Memory is read with so many connected, and again with so many more. */
const connectedBefore = hosts
const connectedMore = 2 * hosts

/** What the process that plays the agents is given: where the hub is, and what is sent, a line for each. */
const Sending = Schema.parseJson(Schema.Struct({
  id: HostId,
  token: Schema.String,
  body: Schema.Uint8ArrayFromBase64,
  signature: Schema.String
}))
const encodeSending = Schema.encodeSync(Sending)
const decodeSending = Schema.decodeSync(Sending)

const Millis = Schema.parseJson(Schema.Array(Schema.Number))

export const childName = "agents-at-the-hub"

const writeLetters = (file: string, all: ReadonlyArray<Letter>): void =>
  writeFileSync(
    file,
    all.map(({ body, sender: { id, token }, signature }) => encodeSending({ id, token, body, signature })).join("\n")
  )

const readLetters = (file: string) =>
  readFileSync(file, "utf8").split("\n").map((line) => {
    const { body, id, signature, token } = decodeSending(line)
    return { body: Buffer.from(body), signature, sender: { id, token } }
  })

// Each agent keeps a connection of its own. The hub is our own, on loopback, and was started a moment ago.
const connection = (): Agent => new Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false })

/** Sends one letter a connection, several at once, and keeps all connections. */
const connectAll = async (url: string, all: ReturnType<typeof readLetters>): Promise<ReadonlyArray<Agent>> => {
  const agents = all.map(connection)
  const inTurn = Array.from(all.entries()).values()
  await Promise.all(Array.from({ length: 16 }, async () => {
    for (const [index, letter] of inTurn) await post(url, agents[index] ?? connection(), letter)
  }))
  return agents
}

/** Milliseconds from the moment at which each report was due until its answer was there, whenever it could be sent. */
const sendAtRate = async (
  url: string,
  agents: ReadonlyArray<Agent>,
  all: ReturnType<typeof readLetters>
): Promise<ReadonlyArray<number>> => {
  const began = performance.now()
  const sent: Array<Promise<number>> = []
  while (sent.length < all.length) {
    for (
      let due = began + sent.length * 1000 / perSecond;
      due <= performance.now() && sent.length < all.length;
      due = began + sent.length * 1000 / perSecond
    ) {
      const letter = all[sent.length]
      const agent = agents[sent.length % agents.length]
      if (letter === undefined || agent === undefined) throw new Error("there are fewer letters than are to be sent")
      const at = due
      sent.push(post(url, agent, letter).then(() => performance.now() - at))
    }
    await pause(1)
  }
  return Promise.all(sent)
}

/** The agents: `rate` sends at the rate and prints how long each answer took; `hold` connects and stays. */
export const child = async ([how, url = "", file = ""]: ReadonlyArray<string>): Promise<void> => {
  const all = readLetters(file)
  const agents = await connectAll(url, how === "rate" ? all.slice(0, hosts) : all)
  if (how === "hold") {
    console.log("connected")
    // Until it is stopped.
    return new Promise((_, reject) => setTimeout(reject, 600_000, new Error("nobody stopped the agents")))
  }
  const millis = await sendAtRate(url, agents, all.slice(hosts))
  console.log(Schema.encodeSync(Millis)(millis.slice(warmUpRounds * hosts)))
}

/** Starts agents that connect with these letters, waits until all have their answers and the hub is idle, and looks. */
const withConnected = async <A>(url: string, file: string, use: () => Promise<A>): Promise<A> => {
  const agents = start(join(dist, "bench.js"), [childName, "hold", url, file])
  try {
    await firstLine(agents)
    await pause(5_000)
    return await use()
  } finally {
    await stop(agents)
  }
}

/** What so many agents at once mean: how long one waits for its answer, and what one weighs in the hub that only is connected. */
export const measure = async (): Promise<ReadonlyArray<Figure>> => {
  const folder = makeFolder()
  const data = join(folder, "hub")
  const senders = await makeSenders(data)
  const rounds: Array<ReadonlyArray<Letter>> = []
  // One to connect with before the rate; then one and two to connect with, as an agent's numbers never go back.
  const atRate = 1 + warmUpRounds + measuredRounds
  for (let sequence = 1; sequence <= atRate + 3; sequence++) rounds.push(await letters(senders, sequence, true))
  const files = { few: join(folder, "few"), many: join(folder, "many"), rate: join(folder, "rate") }
  writeLetters(files.rate, rounds.slice(0, atRate).flat())
  writeLetters(files.few, rounds.slice(atRate, atRate + 1).flat())
  writeLetters(files.many, rounds.slice(atRate + 1).flat())

  const { grown, millis } = await withHub(data, async (url, pid) => {
    const { output } = await run(join(dist, "bench.js"), [childName, "rate", url, files.rate])
    return {
      millis: Schema.decodeSync(Millis)(output),
      grown: await withConnected(url, files.few, async () => {
        const before = rssMegabytes(pid)
        return withConnected(url, files.many, async () => rssMegabytes(pid) - before)
      })
    }
  })
  removeFolder(folder)
  return [
    {
      id: "F5",
      name: `the 99th percentile of the time to a report's answer, at ${perSecond} reports a second`,
      value: quantile(millis, 0.99),
      unit: "ms",
      gate: 500,
      goal: 50,
      detail:
        `median ${median(millis).toFixed(1)} ms, worst ${Math.max(...millis).toFixed(0)} ms, of ${millis.length} ` +
        `reports of ${hosts} connected hosts, from the moment each was due; the agents are a process on the same machine`
    },
    {
      id: "F6",
      name: "the hub's resident memory, a connected agent",
      value: grown * 1024 / connectedMore,
      unit: "KB",
      gate: 100,
      goal: 45,
      detail:
        `${grown.toFixed(1)} MB from ${connectedBefore} to ${
          connectedBefore + connectedMore
        } TLS connections, each of ` +
        "which brought a report and is kept"
    }
  ]
}
