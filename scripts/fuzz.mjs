// npm run fuzz: installs, builds, throws mutants at the parsers, cuts the power, kills agents and asks ssh-keygen too; ends with 1
// when there is a fault. `npm run fuzz -- 1000 parsers` does less of it; `npm run fuzz -- --help` tells how.
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
