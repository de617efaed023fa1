import { join } from "node:path"
import type { Figure } from "./Figure.ts"
import { cpuMillis, dist, reference, run, start, stop } from "./Process.ts"
import { agentEnvironment, type Host, makeFolder, removeFolder, startHost } from "./Stage.ts"
import { type StandInHub, startStandInHub } from "./StandInHub.ts"
import { median, ratio } from "./Statistics.ts"

const rounds = 11

const untilReport = async (
  script: string,
  args: ReadonlyArray<string>,
  host: Host,
  hub: StandInHub,
  folder: string
): Promise<{ readonly millis: number; readonly cpu: number }> => {
  const taken = hub.next()
  const began = performance.now()
  const program = start(script, args, agentEnvironment(host, hub, folder))
  const ended = new Promise<never>((_, reject) =>
    program.child.once("exit", (code) => reject(new Error(`${script} ended with ${code}:\n${program.log()}`)))
  )
  await Promise.race([taken, ended])
  const found = { millis: performance.now() - began, cpu: cpuMillis(program.pid) }
  ended.catch(() => undefined)
  await stop(program)
  return found
}

/** Starts, in turn: of the agent, of the least that Node can do, and of a bare loop that makes the agent's exchanges. */
export const measure = async (): Promise<ReadonlyArray<Figure>> => {
  const folder = makeFolder()
  const host = await startHost(folder)
  const hub = await startStandInHub(3600)
  const found: {
    [of in "report" | "reportCpu" | "loop" | "loopCpu" | "timer" | "version" | "empty"]: Array<number>
  } = {
    report: [],
    reportCpu: [],
    loop: [],
    loopCpu: [],
    timer: [],
    version: [],
    empty: []
  }
  for (let round = 0; round < rounds; round++) {
    const report = await untilReport(join(dist, "main.js"), ["daemon"], host, hub, folder)
    found.report.push(report.millis)
    found.reportCpu.push(report.cpu)
    found.timer.push((await run(reference("timer.cjs"), [])).millis)
    const loop = await untilReport(reference("loop.cjs"), ["3600000"], host, hub, folder)
    found.loop.push(loop.millis)
    found.loopCpu.push(loop.cpu)
    found.version.push((await run(join(dist, "main.js"), ["--version"])).millis)
    found.empty.push((await run("-e", ["0"])).millis)
  }
  await stop(host.running)
  hub.close()
  removeFolder(folder)
  const shown = (values: ReadonlyArray<number>): string => `${median(values).toFixed(0)} ms`
  return [
    {
      id: "A3a",
      name: "spawn to first report accepted / a bare Node program's first timer",
      value: ratio(found.report, found.timer),
      unit: "x",
      gate: 2.5,
      goal: 1.6,
      detail: `${shown(found.report)} / ${shown(found.timer)}, medians of ${rounds}`
    },
    {
      id: "A3b",
      name: "the same / a bare Node program that makes the same exchanges",
      value: ratio(found.report, found.loop),
      unit: "x",
      gate: null,
      goal: null,
      detail: `${shown(found.report)} / ${shown(found.loop)}`
    },
    {
      id: "A3d",
      name: "the same in processor time / a bare Node program that makes the same exchanges",
      value: ratio(found.reportCpu, found.loopCpu),
      unit: "x",
      gate: null,
      goal: null,
      detail: `${shown(found.reportCpu)} / ${shown(found.loopCpu)}, all threads`
    },
    {
      id: "A3c",
      name: "felhom-agent --version / node -e 0",
      value: ratio(found.version, found.empty),
      unit: "x",
      gate: 2,
      goal: 1.4,
      detail: `${shown(found.version)} / ${shown(found.empty)}`
    }
  ]
}
