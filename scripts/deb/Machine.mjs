// A Debian machine of its own that really boots: systemd-nspawn with its own PID 1, and no network but its own loopback.
import { spawn, spawnSync } from "node:child_process"
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs"
import { dirname, join } from "node:path"
import { setTimeout as pause } from "node:timers/promises"

const packages = "systemd,systemd-sysv,dbus,nodejs,ca-certificates,iproute2,openssh-client"
/** Seconds. */
const limits = { image: 900, boot: 300, command: 300 }

/** Why no such machine can be had here; nothing where it can. */
export const whyNot = () => {
  if (process.geteuid?.() !== 0) return "it takes root"
  const missing = ["systemd-nspawn", "mmdebstrap", "nsenter"].filter(
    (name) => spawnSync(name, ["--version"]).error !== undefined
  )
  return missing.length === 0
    ? undefined
    : `there is no ${missing.join(", ")} (apt install systemd-container mmdebstrap)`
}

/** An archive of a fresh Debian with Debian's own Node; made once. */
export const makeImage = (suite, path) => {
  if (existsSync(path)) return
  mkdirSync(dirname(path), { recursive: true })
  const { status, stderr } = spawnSync(
    "mmdebstrap",
    ["--variant=minbase", `--include=${packages}`, suite, `${path}.part.tar`],
    { encoding: "utf8", timeout: limits.image * 1000 }
  )
  if (status !== 0) throw new Error(`mmdebstrap ${suite} failed:\n${stderr}`)
  spawnSync("mv", [`${path}.part.tar`, path])
}

const childrenOf = (pid) => {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").filter((text) => text !== "")
  } catch {
    // It has ended.
    return []
  }
}

/** Boots a machine from an image into a folder. `run` gives what a command wrote and how it ended; `stop` leaves nothing behind. */
export const boot = async (image, folder) => {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const unpacked = spawnSync("tar", ["-C", folder, "-xf", image, "--exclude=./dev/*"], { encoding: "utf8" })
  if (unpacked.status !== 0) throw new Error(`${image} could not be unpacked: ${unpacked.stderr}`)
  const nspawn = spawn(
    "systemd-nspawn",
    ["-D", folder, "--boot", "--register=no", "--keep-unit", "--private-network", "--quiet"],
    { stdio: ["ignore", "pipe", "pipe"] }
  )
  let written = ""
  for (const stream of [nspawn.stdout, nspawn.stderr]) stream.on("data", (chunk) => (written += chunk))
  const ended = new Promise((resolve) => nspawn.once("exit", resolve))
  const leader = () => childrenOf(nspawn.pid)[0]

  const run = (command, { input, timeout = limits.command } = {}) => {
    const { status, stderr, stdout } = spawnSync(
      "nsenter",
      ["-t", leader(), "-m", "-u", "-i", "-n", "-p", "-C", "--root", "--wd", "/bin/sh", "-c", command],
      {
        encoding: "utf8",
        input,
        timeout: timeout * 1000,
        env: {
          PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
          LC_ALL: "C.UTF-8",
          HOME: "/root",
          DEBIAN_FRONTEND: "noninteractive"
        }
      }
    )
    return { code: status, out: stdout, err: stderr }
  }

  const stop = async () => {
    if (leader() !== undefined) {
      run("systemctl poweroff --no-block")
      // Nobody waits for the limit once the machine is off.
      await Promise.race([ended, pause(limits.boot * 1000, undefined, { ref: false })])
    }
    nspawn.kill("SIGKILL")
    await ended
    rmSync(folder, { recursive: true, force: true })
  }

  const by = Date.now() + limits.boot * 1000
  let state = ""
  while (!/^(running|degraded)/.test(state)) {
    if (Date.now() > by || nspawn.exitCode !== null) {
      await stop()
      throw new Error(`the machine did not start (${state.trim()}):\n${written.slice(-2000)}`)
    }
    await pause(500)
    if (leader() !== undefined) state = run("systemctl is-system-running 2>/dev/null").out ?? ""
  }
  return { run, stop, folder, put: (from, to) => spawnSync("cp", ["-r", from, join(folder, to)]) }
}
