import { it } from "@effect/vitest"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import { describe, expect } from "vitest"

const fleet = fileURLToPath(new URL("../../dist/fleet.js", import.meta.url))

describe("three enrolled hosts", () => {
  it("are well, and then felhom hosts alone says which is sick and why", { timeout: 180_000 }, async () => {
    const child = spawn(process.execPath, [fleet, "--once"], { stdio: ["ignore", "pipe", "pipe"] })
    let shown = ""
    child.stdout.setEncoding("utf8").on("data", (text: string) => (shown += text))
    child.stderr.setEncoding("utf8").on("data", (text: string) => (shown += text))
    const [code] = await once(child, "close")
    expect(shown).toMatch(/attic +\w+ +ok .*\n.*cellar +\w+ +ok .*\n.*shop +\w+ +ok /)
    expect(shown).toMatch(/attic \(\w+\): storage ctstore is 100 % full/)
    expect(shown).toMatch(/cellar \(\w+\): silent for/)
    expect(shown).toMatch(/shop \(\w+\): Proxmox refused: .* shows a certificate that no pin names/)
    expect(code).toBe(0)
  })
})
