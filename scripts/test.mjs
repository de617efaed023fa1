// npm test: installs, builds, type-checks, lints and runs all tests. `npm test -- FILTER` runs the tests whose path has FILTER in it.
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { install, main, progress, root, run } from "./toolchain.mjs"

const bin = (name) => join(root, "node_modules/.bin", name)

main(async () => {
  await install()
  const { build } = await import("./build.mjs")
  await progress("building", build)
  await progress("checking types", () => run(bin("tsc"), ["-b"]))
  await progress("linting", () => run(bin("oxlint"), ["--deny-warnings"]))
  await progress("checking the format", () => run(bin("dprint"), ["check"]))
  await progress("looking for unused code", () => run(bin("knip"), []))
  const folder = mkdtempSync(join(tmpdir(), "felhom-test-"))
  const results = join(folder, "results.json")
  let failure
  try {
    await run(process.execPath, [
      join(root, "node_modules/vitest/vitest.mjs"),
      "run",
      "--reporter=default",
      "--reporter=json",
      `--outputFile=${results}`,
      ...process.argv.slice(2)
    ], { show: true })
  } catch (error) {
    failure = error
  }
  const { numFailedTests, numPassedTests } = JSON.parse(readFileSync(results, "utf8"))
  rmSync(folder, { recursive: true, force: true })
  console.log(`tests: ${numPassedTests} passed, ${numFailedTests} failed`)
  if (failure !== undefined) throw failure
})
