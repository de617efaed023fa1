import { join } from "node:path"
import { installedExporter, startExporter } from "./Exporter.ts"
import type { Figure } from "./Figure.ts"
import { cpuMillis, dist, pause, reference, rssMegabytes, type Running, start, stop } from "./Process.ts"
import { agentEnvironment, countsOf, makeFolder, removeFolder, startHost } from "./Stage.ts"
import { startStandInHub } from "./StandInHub.ts"
import { median, ratio } from "./Statistics.ts"

const instances = 3
// As often as an agent may be asked to report, six times as often as it usually is; jitter moves it by a tenth.
const cycleSeconds = 5
const warmUpMillis = 22_000
const measuredMillis = 45_000

const scrapeEvery = (url: string): NodeJS.Timeout =>
  setInterval(() => void fetch(url).then((answer) => answer.text()), cycleSeconds * 1000)

/** Guests of the recorded host that the simulator stands in for, and its storages that hold backups. */
const guests = 4
const backupStorages = 1
const sweep = Math.ceil(guests / 60)

/** Requests of a host that is as its hub wishes it to be, and in how many cycles. */
const converged = async (): Promise<{ readonly requests: number; readonly cycles: number }> => {
  const folder = makeFolder()
  const host = await startHost(folder)
  const hub = await startStandInHub(cycleSeconds, true)
  const agent = start(join(dist, "main.js"), ["daemon"], agentEnvironment(host, hub, folder))
  await pause(warmUpMillis)
  const [before, reportsBefore] = [await countsOf(host), hub.reports()]
  await pause(measuredMillis)
  const [after, cycles] = [await countsOf(host), hub.reports() - reportsBefore]
  const trouble = hub.converged() ? "" : `nothing says that it is as wished; the agent says:\n${agent.log()}`
  for (const program of [agent, host.running]) await stop(program)
  hub.close()
  removeFolder(folder)
  if (trouble !== "") throw new Error(trouble)
  return { requests: after.requests - before.requests, cycles }
}

/**
 * Agents, bare loops and exporters side by side, started in turn: memory and processor time of each, and what the agents ask
 * of their host.
 */
export const measure = async (): Promise<ReadonlyArray<Figure>> => {
  const installed = installedExporter()
  const folder = makeFolder()
  const host = await startHost(folder)
  const otherHost = await startHost(folder)
  const hub = await startStandInHub(cycleSeconds)
  const otherHub = await startStandInHub(cycleSeconds)
  const agents: Array<Running> = []
  const loops: Array<Running> = []
  const exporters: Array<Running> = []
  const scrapes: Array<NodeJS.Timeout> = []
  for (let round = 0; round < instances; round++) {
    agents.push(start(join(dist, "main.js"), ["daemon"], agentEnvironment(host, hub, folder)))
    const period = String(cycleSeconds * 1000)
    loops.push(start(reference("loop.cjs"), [period], agentEnvironment(otherHost, otherHub, folder)))
    const exporter = await startExporter(installed)
    exporters.push(exporter.running)
    scrapes.push(scrapeEvery(exporter.url))
  }
  await pause(warmUpMillis)
  const cpuOf = (programs: ReadonlyArray<Running>) => programs.map(({ pid }) => cpuMillis(pid))
  const before = { agents: cpuOf(agents), loops: cpuOf(loops), exporters: cpuOf(exporters) }
  const reportsBefore = hub.reports()
  const countsBefore = await countsOf(host)
  await pause(measuredMillis)
  const used = (programs: ReadonlyArray<Running>, since: ReadonlyArray<number>) =>
    cpuOf(programs).map((now, index) => (now - (since[index] ?? 0)) / (measuredMillis / 1000 / cycleSeconds))
  const cpu = {
    agents: used(agents, before.agents),
    loops: used(loops, before.loops),
    exporters: used(exporters, before.exporters)
  }
  const rss = { agents: agents.map(({ pid }) => rssMegabytes(pid)), loops: loops.map(({ pid }) => rssMegabytes(pid)) }
  const cycles = hub.reports() - reportsBefore
  const counts = await countsOf(host)
  const trouble = cycles === 0 ? `no report came; the first agent says:\n${agents[0]?.log() ?? ""}` : ""
  for (const timer of scrapes) clearInterval(timer)
  for (const program of [...agents, ...loops, ...exporters, host.running, otherHost.running]) await stop(program)
  hub.close()
  otherHub.close()
  removeFolder(folder)
  if (trouble !== "") throw new Error(trouble)
  const wished = await converged()

  const perCycle = (from: number, to: number): number => (to - from) / cycles
  const shown = (values: ReadonlyArray<number>, unit: string): string => `${median(values).toFixed(1)} ${unit}`
  return [
    {
      id: "A1",
      name: "resident memory of the idle agent / of a bare Node loop with the same exchanges",
      value: ratio(rss.agents, rss.loops),
      unit: "x",
      gate: 1.8,
      goal: 1.35,
      detail: `${shown(rss.agents, "MB")} / ${shown(rss.loops, "MB")}, medians of ${instances}`
    },
    {
      id: "A2",
      name: installed === undefined
        ? "processor time a cycle / a scrape of a bare Node exporter (stands in for prometheus-node-exporter)"
        : "processor time a cycle / a scrape of prometheus-node-exporter",
      value: ratio(cpu.agents, cpu.exporters),
      unit: "x",
      gate: installed === undefined ? null : 2,
      goal: installed === undefined ? null : 0.7,
      detail: `${shown(cpu.agents, "ms")} / ${shown(cpu.exporters, "ms")} each ${cycleSeconds} s` +
        (installed === undefined ? "; no gate: that is for prometheus-node-exporter, which is not installed" : "")
    },
    {
      id: "A2b",
      name: "processor time a cycle / of the bare Node loop with the same exchanges",
      value: ratio(cpu.agents, cpu.loops),
      unit: "x",
      gate: null,
      goal: null,
      detail: `${shown(cpu.agents, "ms")} / ${shown(cpu.loops, "ms")}`
    },
    {
      id: "B1",
      name: `requests a steady cycle, of a host with ${guests} guests and ${backupStorages} storage for backups`,
      value: perCycle(countsBefore.requests, counts.requests),
      unit: "",
      gate: 5 + backupStorages + sweep,
      goal: 4 + backupStorages + sweep,
      detail: `${counts.requests - countsBefore.requests} requests in ${cycles} cycles; no guest changed`
    },
    {
      id: "B1d",
      name: "the same with a desired state in force that the host is at",
      value: wished.requests / wished.cycles,
      unit: "",
      gate: 5 + backupStorages + sweep,
      goal: 4 + backupStorages + sweep,
      detail: `${wished.requests} requests in ${wished.cycles} cycles; all guests named, nothing differs`
    },
    {
      id: "B2",
      name: "TLS handshakes a steady cycle",
      value: perCycle(countsBefore.handshakes, counts.handshakes),
      unit: "",
      gate: 2,
      goal: 1,
      detail: `${counts.handshakes - countsBefore.handshakes} handshakes in ${cycles} cycles`
    }
  ]
}
