import { describe, expect, it } from "@effect/vitest"
import { spawn } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const dist = join(import.meta.dirname, "../../../../dist")
const pin = "AA".repeat(32)

/** What a person, or a program, is told who types it where nobody can be asked. */
const configure = (args: ReadonlyArray<string>) =>
  new Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>((resolve) => {
    const child = spawn(process.execPath, [join(dist, "main.js"), "configure", ...args], {
      env: {},
      stdio: ["ignore", "pipe", "pipe"]
    })
    let [stdout, stderr] = ["", ""]
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text))
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text))
    child.on("close", (code) => resolve({ code, stdout, stderr }))
  })

describe("felhom-agent configure", { timeout: 60_000 }, () => {
  it("names each missing flag and ends with 2, or shows what it writes and what comes next, and ends with 0", async () => {
    const root = mkdtempSync(join(tmpdir(), "felhom-configure-"))
    try {
      const bare = await configure(["--root", root])
      expect([bare.code, bare.stdout]).toEqual([2, ""])
      for (const flag of ["--proxmox-fingerprint", "--hub-url", "--hub-fingerprint"]) {
        expect(bare.stderr).toContain(flag)
      }
      const flags = ["--hub-url", "https://192.0.2.10:8443", "--hub-fingerprint", pin, "--proxmox-fingerprint", pin]
      const dry = await configure(["--root", root, ...flags, "--dry-run"])
      expect([dry.code, dry.stdout]).toEqual([0, expect.stringContaining("nothing was written (--dry-run)")])
      expect(existsSync(join(root, "etc"))).toBe(false)
      const done = await configure(["--root", `${root}/`, ...flags])
      expect([done.code, done.stderr]).toEqual([0, ""])
      expect(done.stdout).toMatch(
        / {2}\+ IPAddressAllow=192\.0\.2\.10\n[^]*written: [^]*next, as root:[^]*felhom-agent doctor\n$/
      )
      const again = await configure(["--root", root, "--output", "json"])
      expect(JSON.parse(again.stdout)).toMatchObject({ changes: [], written: false })
      expect(readFileSync(join(root, "etc/felhom-agent/config.json"), "utf8")).toContain("192.0.2.10")
    } finally {
      rmSync(root, { recursive: true, force: true })
    }
  })
})
