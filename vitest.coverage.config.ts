import { defineConfig } from "vitest/config"

/** What decides over destruction is tested in every line and branch: `npm run coverage` fails when one is not. */
export default defineConfig({
  test: {
    include: [
      "packages/{authz,mandate,durable,domain}/test/**/*.test.ts",
      "packages/reconciler/test/op/**/*.test.ts",
      "packages/agent/test/RootFiles.test.ts"
    ],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
    minWorkers: 2,
    coverage: {
      enabled: true,
      provider: "v8",
      all: true,
      include: ["packages/{authz,mandate,durable}/src/**/*.ts"],
      reportsDirectory: "build/coverage",
      reporter: ["text"],
      thresholds: { lines: 100, branches: 100 }
    }
  }
})
