import { describe, it } from "@effect/vitest"
import { defaultConfigFile } from "@felhom/agent/ConfigFile"
import { RootVerb } from "@felhom/domain/port/RootSocket"
import { answerWithinMillis } from "@felhom/privileged/RootExchange"
import { spawnSync } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { expect } from "vitest"

const folder = join(import.meta.dirname, "../../../privileged/systemd")
const verbs = RootVerb.literals

/** The values that a unit file gives a setting, in order; an empty one takes back those before it. */
const settings = (file: string, name: string): ReadonlyArray<string> =>
  readFileSync(join(folder, file), "utf8").split("\n").flatMap((line) =>
    line.startsWith(`${name}=`) ? [line.slice(name.length + 1)] : []
  )

const analyser = "systemd-analyze"

const exposure = (unit: string, from = folder) =>
  spawnSync(analyser, ["security", "--offline=yes", "--no-pager", join(from, unit)], { encoding: "utf8" })

const analysed = exposure("felhom-agent.service").error === undefined
const absent = analysed ? "" : " (not run: there is no systemd-analyze on this machine)"

/** How exposed each unit may be at most, of 10; a root process without any fence is at 9.6. */
const mostExposed = {
  "felhom-agent.service": 1.2,
  "felhom-agent-mount@.service": 1.3,
  "felhom-agent-smart@.service": 1.8,
  "felhom-agent-pct-create@.service": 6.8
}

describe("the unit files", () => {
  it("are the agent, and a socket and a helper for each verb, and nothing else", () => {
    expect(readdirSync(folder).toSorted()).toEqual(
      [
        "felhom-agent.service",
        ...verbs.flatMap((verb) => [`felhom-agent-${verb}.socket`, `felhom-agent-${verb}@.service`])
      ]
        .toSorted()
    )
  })

  for (const [unit, most] of Object.entries(mostExposed)) {
    it.skipIf(!analysed)(`${unit} is exposed by at most ${most}${absent}`, () => {
      const { stdout } = exposure(unit)
      const [, level] = /Overall exposure level for \S+: (\d+\.\d+)/.exec(stdout) ?? []
      expect(Number(level), stdout).toBeLessThanOrEqual(most)
    })
  }

  it("let nobody but the agent's user ask a helper, where the agent looks for it, one process for each question", () => {
    for (const verb of verbs) {
      const socket = `felhom-agent-${verb}.socket`
      expect(settings(socket, "ListenStream")).toEqual([`/run/felhom-agent-root/${verb}.sock`])
      expect(settings(socket, "Accept")).toEqual(["yes"])
      expect(settings(socket, "SocketMode")).toEqual(["0600"])
      expect(settings(socket, "SocketUser")).toEqual(settings("felhom-agent.service", "User"))
    }
    expect(settings("felhom-agent.service", "User")).toEqual(["felhom-agent"])
    // systemd would make that folder the agent's, and take it away when the agent ends.
    expect(settings("felhom-agent.service", "RuntimeDirectory")).toEqual(["felhom-agent"])
  })

  it("start each verb's own program without V8's compiler, which memory that is written and run would need", () => {
    for (const verb of verbs) {
      const unit = `felhom-agent-${verb}@.service`
      expect(settings(unit, "ExecStart")).toEqual([
        `/usr/bin/node --jitless /usr/lib/felhom-agent/root-${verb}.js`
      ])
      expect(settings(unit, "MemoryDenyWriteExecute")).toEqual(["yes"])
      expect([settings(unit, "StandardInput"), settings(unit, "StandardOutput")]).toEqual([["socket"], ["socket"]])
    }
    expect(settings("felhom-agent.service", "MemoryDenyWriteExecute")).toEqual(["no"])
  })

  it("give no helper an Internet, and end none before the agent has stopped waiting for it", () => {
    for (const verb of verbs) {
      const unit = `felhom-agent-${verb}@.service`
      expect(settings(unit, "RestrictAddressFamilies").join(" ")).not.toMatch(/INET|~/)
      expect(settings(unit, "IPAddressDeny")).toEqual(["any"])
      expect(settings(unit, "IPAddressAllow")).toEqual([])
      expect(Number(settings(unit, "RuntimeMaxSec")[0]) * 1000).toBeGreaterThan(answerWithinMillis[verb])
    }
  })

  it("pass over the agent's start as long as it is not configured, and hand it its secrets as credentials", () => {
    expect(settings("felhom-agent.service", "ConditionPathExists")).toEqual([
      defaultConfigFile,
      "/etc/felhom-agent/proxmox-token"
    ])
    expect(settings("felhom-agent.service", "LoadCredential")).toEqual([
      "proxmox-token:/etc/felhom-agent/proxmox-token",
      "storage:/etc/felhom-agent/storage-secrets"
    ])
    // systemd refuses to start a unit whose credential is not there; an empty folder is.
    const folders = readFileSync(join(import.meta.dirname, "../../debian/tmpfiles.conf"), "utf8")
    expect(folders).toContain("d /etc/felhom-agent/storage-secrets 0700 root root -")
  })

  it("bound what each logs, and the memory of all but what unpacks templates", () => {
    for (const unit of Object.keys(mostExposed)) {
      expect(Number(settings(unit, "LogRateLimitBurst")[0]), unit).toBeLessThanOrEqual(500)
      expect(settings(unit, "MemoryMax").length, unit).toBe(unit.includes("pct-create") ? 0 : 1)
    }
  })

  it("let the agent know which boot this is, which its lock and its reports name", () => {
    expect(settings("felhom-agent.service", "ProcSubset")).toEqual(["all"])
    expect(settings("felhom-agent.service", "ProtectProc")).toEqual(["invisible"])
  })

  it("give the agent no capability at all", () => {
    expect(settings("felhom-agent.service", "CapabilityBoundingSet")).toEqual([""])
    expect(settings("felhom-agent.service", "NoNewPrivileges")).toEqual(["yes"])
  })
})

describe("the hub's unit file", () => {
  it.skipIf(!analysed)(`is exposed by at most 1.4, with any address open to it${absent}`, () => {
    const { stdout } = exposure("felhom-hub.service", join(import.meta.dirname, "../../../hub/systemd"))
    const [, level] = /Overall exposure level for \S+: (\d+\.\d+)/.exec(stdout) ?? []
    expect(Number(level), stdout).toBeLessThanOrEqual(1.4)
  })
})
