// npm run bench: installs, builds, and measures. `npm run bench -- NAME` runs one bench. Ends with 1 when a figure is beyond its gate.
import { spawn } from "node:child_process"
import { join } from "node:path"
import { install, main, progress, root } from "./toolchain.mjs"

main(async () => {
  await install()
  const { build } = await import("./build.mjs")
  await progress("building", build)
  const bench = spawn(process.execPath, [join(root, "dist/bench.js"), ...process.argv.slice(2)], { stdio: "inherit" })
  bench.on("close", (code) => process.exit(code ?? 1))
})
