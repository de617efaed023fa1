// Brings a fresh clone to where it can run: Node's version is checked, packages are installed. Needs Node and npm, nothing else.
import { spawn } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

export const root = dirname(dirname(fileURLToPath(import.meta.url)))
const stamp = join(root, "node_modules/.felhom-installed")
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))

const fail = (message) => {
  console.error(message)
  process.exit(1)
}

const checkNode = () => {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number)
  if (major < 20 || (major === 20 && minor < 19)) {
    fail(
      `felhom-agent needs Node ${manifest.engines.node.replace(">=", "")} or newer; this is ${process.versions.node}`
    )
  }
}

/** Runs a program; its output is kept and shown only if it fails, unless `show` lets it through. Gives how long it took, in ms. */
export const run = (command, args, { show = false, env = {} } = {}) =>
  new Promise((resolve, reject) => {
    const began = Date.now()
    const child = spawn(command, args, {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: show ? "inherit" : ["ignore", "pipe", "pipe"]
    })
    const kept = []
    child.stdout?.on("data", (chunk) => kept.push(chunk))
    child.stderr?.on("data", (chunk) => kept.push(chunk))
    child.on("error", reject)
    child.on("close", (code, signal) => {
      if (code === 0) resolve(Date.now() - began)
      else {
        const output = Buffer.concat(kept).toString()
        reject(
          new Error(`${command} ${args.join(" ")} ended with ${signal ?? code}${output === "" ? "" : `\n${output}`}`)
        )
      }
    })
  })

/** Shows that something is going on: a line that counts seconds on a terminal, one line before and one after elsewhere. */
export const progress = async (what, work) => {
  const began = Date.now()
  const seconds = () => `${Math.round((Date.now() - began) / 1000)} s`
  const terminal = process.stderr.isTTY
  if (!terminal) process.stderr.write(`  ${what} ...\n`)
  const timer = terminal ? setInterval(() => process.stderr.write(`\r  ${what} ... ${seconds()}`), 500) : undefined
  try {
    const result = await work()
    process.stderr.write(`${terminal ? "\r" : ""}  ${what}: done in ${seconds()}\n`)
    return result
  } catch (error) {
    process.stderr.write(`${terminal ? "\r" : ""}  ${what}: failed after ${seconds()}\n`)
    throw error
  } finally {
    clearInterval(timer)
  }
}

const lockHash = () => createHash("sha256").update(readFileSync(join(root, "pnpm-lock.yaml"))).digest("hex")

/** Installs the packages that the lock file names, with the pnpm that package.json names; nothing to do when they are there. */
export const install = async () => {
  checkNode()
  const wanted = lockHash()
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return
  const pnpm = manifest.packageManager
  await progress(
    "installing packages (the first time takes about a minute)",
    () => run("npx", ["--yes", pnpm, "install", "--frozen-lockfile", "--config.confirmModulesPurge=false"])
  )
  writeFileSync(stamp, wanted)
}

/** Ends the program with a message instead of a stack trace. */
export const main = (work) => {
  work().catch((error) => fail(error instanceof Error ? error.message : String(error)))
}
