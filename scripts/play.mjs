// Installs, builds, and plays a program that runs others: the story, the fleet.
import { spawn } from "node:child_process"
import { join } from "node:path"
import { install, main, progress, root } from "./toolchain.mjs"

export const play = (bundle) =>
  main(async () => {
    await install()
    const { build } = await import("./build.mjs")
    await progress("building", build)
    const program = spawn(process.execPath, [join(root, "dist", bundle), ...process.argv.slice(2)], {
      stdio: "inherit"
    })
    // It cleans up after itself; a Ctrl-C reaches it by itself, and must not end its parent before it.
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
      process.on(signal, () => {
        if (signal !== "SIGINT") program.kill(signal)
      })
    }
    program.on("close", (code) => process.exit(code ?? 1))
  })
