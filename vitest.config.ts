import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["packages/*/test/**/*.test.ts", "scripts/test/**/*.test.ts"],
    // No test is about time; this only ends one that hangs. A busy machine takes several times what an idle one does.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Two cores: more workers only make each other slower.
    maxWorkers: 2,
    minWorkers: 1,
    reporters: process.env["CI"] === undefined ? ["default"] : [["default", { summary: false }]]
  }
})
