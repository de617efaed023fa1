import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["packages/*/test/**/*.test.ts", "scripts/test/**/*.test.ts"],
    // Two cores: more workers only make each other slower.
    maxWorkers: 2,
    minWorkers: 1,
    reporters: process.env["CI"] === undefined ? ["default"] : [["default", { summary: false }]]
  }
})
