// npm start: installs, builds, and plays the story. `npm start -- --once` ends after it, with 0, or 1 and the step that failed.
import { spawn } from "node:child_process"
import { join } from "node:path"
import { install, main, progress, root } from "./toolchain.mjs"

main(async () => {
  await install()
  const { build } = await import("./build.mjs")
  await progress("building", build)
  const story = spawn(process.execPath, [join(root, "dist/story.js"), ...process.argv.slice(2)], { stdio: "inherit" })
  // The story cleans up after itself; a Ctrl-C reaches it by itself, and must not end its parent before it.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    process.on(signal, () => {
      if (signal !== "SIGINT") story.kill(signal)
    })
  }
  story.on("close", (code) => process.exit(code ?? 1))
})
