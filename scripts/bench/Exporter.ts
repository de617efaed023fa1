import { spawn } from "node:child_process"
import { once } from "node:events"
import { accessSync, constants } from "node:fs"
import { createServer } from "node:net"
import { delimiter, join } from "node:path"
import { adopt, firstLine, reference, type Running, start } from "./Process.ts"

/** An exporter that answers scrapes, and whether it is the one that the goals are about. */
export interface Exporter {
  readonly running: Running
  readonly url: string
}

const names = ["prometheus-node-exporter", "node_exporter"]

/** Where this machine has prometheus-node-exporter, if it has it. */
export const installedExporter = (): string | undefined =>
  (process.env["PATH"] ?? "").split(delimiter).flatMap((folder) => names.map((name) => join(folder, name))).find(
    (file) => {
      try {
        accessSync(file, constants.X_OK)
        return true
      } catch {
        return false
      }
    }
  )

/** A port that was free a moment ago: the exporter can't choose one and tell. */
const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  server.close()
  await once(server, "close")
  if (address === null || typeof address === "string") throw new Error("no port to listen on")
  return address.port
}

const untilItAnswers = async (url: string, running: Running): Promise<void> => {
  for (;;) {
    const answer = await fetch(url).catch(() => undefined)
    await answer?.text()
    if (answer?.ok === true) return
    if (running.child.exitCode !== null) throw new Error(`the exporter ended before it answered:\n${running.log()}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** Starts the installed one, or the bare Node program that stands in for it. */
export const startExporter = async (installed: string | undefined): Promise<Exporter> => {
  if (installed === undefined) {
    const running = start(reference("exporter.mjs"), [])
    return { running, url: await firstLine(running) }
  }
  const address = `127.0.0.1:${await freePort()}`
  const running = adopt(
    spawn(installed, [`--web.listen-address=${address}`], { stdio: ["ignore", "ignore", "pipe"] }),
    installed
  )
  const url = `http://${address}/metrics`
  await untilItAnswers(url, running)
  return { running, url }
}
