import { defineConfig } from "vitest/config"

const all = ["packages/*/test/**/*.test.ts", "scripts/test/**/*.test.ts"]

/** proxmox-api brings an undici of its own, and shares with ours what both keep in the process. */
const alone = ["packages/proxmox/test/ForeignClient.test.ts"]

export default defineConfig({
  test: {
    // No test is about time; this only ends one that hangs. A busy machine takes several times what an idle one does.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    // Two cores: more workers only make each other slower.
    maxWorkers: 2,
    minWorkers: 1,
    reporters: process.env["CI"] === undefined ? ["default"] : [["default", { summary: false }]],
    // Files share a process, one for each project and worker: to load everything anew for each took almost half as long as the
    // tests themselves.
    isolate: false,
    projects: [
      { extends: true, test: { name: "together", include: all, exclude: alone } },
      { extends: true, test: { name: "alone", include: alone } }
    ]
  }
})
