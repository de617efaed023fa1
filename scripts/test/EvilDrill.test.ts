import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterEach, beforeEach, describe, expect, it } from "vitest"

const dist = fileURLToPath(new URL("../../dist", import.meta.url))

const started: Array<() => void> = []
let folder = ""
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "felhom-drill-test-"))
})
afterEach(() => {
  for (const stop of started.splice(0)) stop()
  rmSync(folder, { recursive: true, force: true })
})

const start = (bundle: string, args: ReadonlyArray<string>, environment: { readonly [name: string]: string } = {}) => {
  const child = spawn(process.execPath, [join(dist, bundle), ...args], {
    env: { PATH: process.env["PATH"] ?? "", HOME: folder, ...environment },
    stdio: ["ignore", "pipe", "pipe"]
  })
  let shown = ""
  const waiting: Array<() => void> = []
  const take = (text: string) => {
    shown += text
    for (const look of waiting) look()
  }
  child.stdout.setEncoding("utf8").on("data", take)
  child.stderr.setEncoding("utf8").on("data", take)
  const ended = once(child, "close").then(([code]) => ({ code, shown }))
  started.push(() => child.kill("SIGKILL"))
  return {
    ended,
    stop: () => child.kill("SIGTERM"),
    /** The first match in what it printed, as soon as it is there. */
    says: (words: RegExp) =>
      Promise.race([
        new Promise<RegExpExecArray>((resolve) => {
          const look = () => {
            const found = words.exec(shown)
            if (found !== null) resolve(found)
          }
          waiting.push(look)
          look()
        }),
        ended.then(({ code }) => {
          throw new Error(`${bundle} ended with ${String(code)} before it said ${words.source}:\n${shown}`)
        })
      ])
  }
}

describe("evil-hub", () => {
  it.each([
    [["--help"], 0, /real agents on simulated hosts/],
    [["--help"], 0, /Without a command it plays all of them[^]*1 when something went through/],
    [["list"], 0, /\d+ attacks; \d+ of them can be played on a real host/],
    [["--only", "no such attack"], 2, /no attack has "no such attack" in its name/],
    [["everything"], 2, /Invalid subcommand/],
    [["real", "--guest", "9999", "--folder", "x", "--listen", "here"], 2, /it has to be HOST:PORT/]
  ])("%j ends with %d", { timeout: 60_000 }, async (args, wanted, words) => {
    const { code, shown } = await start("evil-hub.js", args).ended
    expect(shown).toMatch(words)
    expect(code).toBe(wanted)
  })

  it("plays attacks on a real agent and a simulated host, and counts them", { timeout: 180_000 }, async () => {
    const { code, shown } = await start("evil-hub.js", [
      "--only",
      "an op that a stranger signed",
      "--only",
      "the same op once more, after it was done",
      "--only",
      "(mass revocation)"
    ]).ended
    expect(shown).toMatch(/refused \(unlisted\)/)
    expect(shown).toMatch(/was accepted before; nothing new is begun/)
    expect(shown).toMatch(/signers refused \(last-signer\)/)
    expect(shown).toMatch(/^3 of 3 attacks refused$/m)
    expect(code).toBe(0)
  })

  it("never writes over what a host's root has in a folder", { timeout: 60_000 }, async () => {
    writeFileSync(join(folder, "allowed_signers"), "root's own\n")
    const { code, shown } = await start("evil-hub.js", ["real", "--guest", "9999", "--folder", folder]).ended
    expect(shown).toMatch(/has to be a new or empty folder/)
    expect(code).toBe(1)
    expect(readFileSync(join(folder, "allowed_signers"), "utf8")).toBe("root's own\n")
  })

  it("attacks an agent that somebody else configured, by what it tells them", { timeout: 240_000 }, async () => {
    const tokens = join(folder, "tokens.json")
    writeFileSync(tokens, JSON.stringify({ "felhom-agent@pve!agent": "secret" }), { mode: 0o600 })
    const simulator = start("pve-sim.js", ["serve", "--listen", "127.0.0.1:0", "--tokens", tokens])
    const [ready] = await simulator.says(/^\{.*\}$/m)
    const { certificates, control, url } = JSON.parse(ready)
    const running = () =>
      fetch(`${control}/console`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ _tag: "guest.status", vmid: 9999, status: "running" })
      })
    await running()
    const hub = start("evil-hub.js", [
      "real",
      "--guest",
      "9999",
      "--folder",
      join(folder, "drill"),
      "--only",
      "a stranger signed",
      "--only",
      "after it was done",
      "--only",
      "its owner holds"
    ])
    const [shown] = await hub.says(/[\s\S]*policy\.json/)
    const settings = Object.fromEntries(
      [...shown.matchAll(/^ +(FELHOM_AGENT_[A-Z_]+)=(\S+)$/gm)].map(([, name, value]) => [name, value])
    )
    start("main.js", ["daemon"], {
      ...settings,
      FELHOM_AGENT_STATE_DIR: join(folder, "state"),
      FELHOM_AGENT_RUNTIME_DIR: join(folder, "run"),
      FELHOM_AGENT_PROXMOX_URL: url,
      FELHOM_AGENT_PROXMOX_NODE: "demo-felhom",
      FELHOM_AGENT_PROXMOX_FINGERPRINT: certificates.original.leaf,
      FELHOM_AGENT_PROXMOX_TOKEN_ID: "felhom-agent@pve!agent",
      FELHOM_AGENT_PROXMOX_TOKEN: "secret"
    })
    await hub.says(/Now start guest 9999 again/)
    await running()
    const { code, shown: all } = await hub.ended
    expect(all).toMatch(/^ok {5}an op that a stranger signed\n.*refused \(unlisted\)/m)
    expect(all).toMatch(/^ok {5}the same op once more, after it was done/m)
    expect(all).toMatch(/^- {6}an op for a host that its owner holds\n +not played: it takes hands at the host/m)
    expect(all).toMatch(/^2 of 2 attacks refused$/m)
    expect(code).toBe(0)
  })
})
