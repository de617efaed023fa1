import { once } from "node:events"
import { join } from "node:path"
import { dist, run, start, stop, stopAll } from "../bench/Process.ts"
import { agentEnvironment, makeFolder, removeFolder, startHost } from "../bench/Stage.ts"
import { startStandInHub } from "../bench/StandInHub.ts"
import { record, recorderName } from "./Recorder.ts"

// Part of the build. V8 compiles a function when it is first called, so what is kept of a program's compiled code is what it
// needed for a start that was played to its end: here, on a simulated host, up to the hub's first answer.
const self = join(dist, "rehearsal.js")

const recorded = (
  part: string,
  args: ReadonlyArray<string>
) => [recorderName, join(dist, "agent", `${part}.js`), ...args]

const rehearse = async (): Promise<void> => {
  const folder = makeFolder()
  const host = await startHost(folder)
  const hub = await startStandInHub(3600)
  try {
    const taken = hub.next()
    const daemon = start(self, recorded("daemon", ["daemon"]), agentEnvironment(host, hub, folder))
    const early = once(daemon.child, "exit").then(([code]) => {
      throw new Error(`the daemon ended with ${String(code)} before its first report:\n${daemon.log()}`)
    })
    await Promise.race([taken, early])
    early.catch(() => undefined)
    await stop(daemon)
    await run(self, recorded("commands", ["selftest", "read"]), host.environment)
  } finally {
    await stop(host.running)
    hub.close()
    removeFolder(folder)
  }
}

const [first, script, ...args] = process.argv.slice(2)
if (first === recorderName && script !== undefined) record(script, args)
else {
  rehearse().then(
    () => process.exit(0),
    (error: unknown) => {
      stopAll()
      console.error(error instanceof Error ? error.message : String(error))
      process.exit(1)
    }
  )
}
