import { defineConfig } from "vitest/config"
import { BaseSequencer, type TestSpecification } from "vitest/node"

const all = ["packages/*/test/**/*.test.ts", "scripts/test/**/*.test.ts"]

/** proxmox-api brings an undici of its own, and shares with ours what both keep in the process. */
const alone = ["packages/proxmox/test/ForeignClient.test.ts"]

/** Tests of whole programs and the storm take minutes and go first, so that none is left for the end, with nothing to run beside it. */
class LongestFirst extends BaseSequencer {
  override async sort(files: Array<TestSpecification>): Promise<Array<TestSpecification>> {
    const sorted = await super.sort(files)
    const isLong = ({ moduleId }: TestSpecification): boolean => /\/(?:scripts|packages\/storm)\/test\//.test(moduleId)
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))]
  }
}

export default defineConfig({
  test: {
    // No test is about time; this only ends one that hangs. A busy machine takes several times what an idle one does.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    // One more than CI has cores: some tests wait for processes and for real time to pass.
    maxWorkers: 3,
    // As many: to end one while others still run has ended the whole run.
    minWorkers: 3,
    sequence: { sequencer: LongestFirst },
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
