import { spawnSync } from "node:child_process"

const program = "strace"

/** The system calls that make something durable, or give it its name. */
export const tracedCalls = ["pwrite64", "fdatasync", "fsync", "rename"] as const
type TracedCall = (typeof tracedCalls)[number]

/** The version of strace on this machine; undefined where there is none, or none that may trace. */
export const strace = (): string | undefined => {
  const { error, status, stderr } = spawnSync(program, ["-f", "-e", "trace=none", "true"], { encoding: "utf8" })
  if (error !== undefined || status !== 0 || stderr.includes("ptrace")) return undefined
  return spawnSync(program, ["-V"], { encoding: "utf8" }).stdout.split("\n")[0]
}

/** Put in front of a command: the kernel kills it as it enters that call for the so-manieth time, counted from 1. */
export const killedIn = (call: TracedCall, time: number): ReadonlyArray<string> => [
  // strace counts for each thread; with one that does the files it counts all of them.
  "env",
  "UV_THREADPOOL_SIZE=1",
  program,
  "-f",
  "-qq",
  "-o",
  "/dev/null",
  "-e",
  `trace=${call}`,
  "-e",
  `inject=${call}:signal=KILL:when=${time}`
]
