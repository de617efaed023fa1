import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

/** The bundles stand beside this one. */
export const dist: string = dirname(fileURLToPath(import.meta.url))

/** Programs of the least code that does the same, to measure ours against. */
export const reference = (name: string): string => join(dist, "../scripts/bench/reference", name)

export type Environment = { readonly [name: string]: string }

/** A program that runs, and what it wrote to stderr so far. */
export interface Running {
  readonly child: ChildProcess
  readonly pid: number
  readonly log: () => string
}

const running = new Set<ChildProcess>()

/** Takes a child that was started: what it writes to stderr is kept, and it ends with the bench. */
export const adopt = (child: ChildProcess, name: string): Running => {
  let log = ""
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (log = (log + text).slice(-4000)))
  running.add(child)
  child.once("exit", () => running.delete(child))
  if (child.pid === undefined) throw new Error(`${name} could not be started`)
  return { child, pid: child.pid, log: () => log }
}

/** Starts a script with Node, whose own options come last. */
export const start = (
  script: string,
  args: ReadonlyArray<string>,
  environment: Environment = {},
  options: ReadonlyArray<string> = []
): Running =>
  adopt(
    spawn(process.execPath, [...options, script, ...args], {
      env: { PATH: process.env["PATH"] ?? "", ...environment },
      stdio: ["ignore", "pipe", "pipe"]
    }),
    script
  )

/** The first line that a program prints. */
export const firstLine = ({ child, log }: Running): Promise<string> =>
  new Promise((resolve, reject) => {
    let text = ""
    child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk
      const end = text.indexOf("\n")
      if (end >= 0) resolve(text.slice(0, end))
    })
    child.once("exit", (code) => reject(new Error(`a program ended with ${code} before it was ready:\n${log()}`)))
  })

export const stop = async ({ child }: Running): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, "exit")
  child.kill("SIGTERM")
  const impatience = setTimeout(() => child.kill("SIGKILL"), 10_000)
  await ended
  clearTimeout(impatience)
}

/** Nothing is left running, however the bench ends. */
export const stopAll = (): void => {
  for (const child of running) child.kill("SIGKILL")
}

/** Runs a program to its end; gives what it printed and how long it took from spawn to exit, in ms. */
export const run = async (
  script: string,
  args: ReadonlyArray<string>,
  environment: Environment = {},
  options: ReadonlyArray<string> = []
): Promise<{ readonly output: string; readonly millis: number }> => {
  const began = performance.now()
  const program = start(script, args, environment, options)
  let output = ""
  program.child.stdout?.setEncoding("utf8").on("data", (text: string) => (output += text))
  const [code] = await once(program.child, "close")
  if (code !== 0) throw new Error(`${script} ${args.join(" ")} ended with ${String(code)}:\n${program.log()}`)
  return { output, millis: performance.now() - began }
}

/** What a process holds in memory (VmRSS), in MB. */
export const rssMegabytes = (pid: number): number => {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? []
  return Number(kilobytes) / 1024
}

// USER_HZ, which Linux gives to programs as 100 on every machine that Proxmox VE runs on.
const millisPerTick = 10

/** What a process has had of the processors since its start, its kernel time included, in ms; to 10 ms. */
export const cpuMillis = (pid: number): number => {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
  // The name in brackets may hold spaces; utime and stime are the 12th and 13th after it (proc(5)).
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  return (Number(fields[11]) + Number(fields[12])) * millisPerTick
}

export const pause = (millis: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, millis))
