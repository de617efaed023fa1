// npm run fuzz: installs, builds, and throws mutants at the parsers; ends with 1 at the first fault. `npm run fuzz -- 1000` throws that many.
import { spawn } from "node:child_process"
import { join } from "node:path"
import { install, main, progress, root } from "./toolchain.mjs"

main(async () => {
  await install()
  const { build } = await import("./build.mjs")
  await progress("building", build)
  const fuzz = spawn(process.execPath, [join(root, "dist/fuzz.js"), ...process.argv.slice(2)], { stdio: "inherit" })
  fuzz.on("close", (code) => process.exit(code ?? 1))
})
