// npm run storm: installs, builds, and runs seeded schedules of the whole agent on a virtual clock; ends with 1 when an invariant did
// not hold. `npm run storm -- --help` tells how. With --teeth (npm run storm:teeth) it plants one bug after the other, and ends with 1
// when one is overlooked.
import { spawn } from "node:child_process"
import { join } from "node:path"
import { install, main, progress, root } from "./toolchain.mjs"

main(async () => {
  await install()
  const [first, ...names] = process.argv.slice(2)
  if (first === "--teeth") {
    const { teeth } = await import("./storm/teeth.mjs")
    process.exit(await teeth(names))
  }
  const { build } = await import("./build.mjs")
  await progress("building", build)
  const storm = spawn(process.execPath, [
    "--max-semi-space-size=64",
    "--min-semi-space-size=64",
    join(root, "dist/storm.js"),
    ...process.argv.slice(2)
  ], {
    stdio: "inherit"
  })
  storm.on("close", (code) => process.exit(code ?? 1))
})
