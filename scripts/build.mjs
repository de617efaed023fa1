// Bundles every program below dist/. Run by `pnpm build`, `npm start` and `npm test`; `node scripts/build.mjs FOLDER [PROGRAM...]`
// builds there, and only those.
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdir, readFile, rm, writeFile } from "node:fs/promises"
import { dirname, join, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { rolldown } from "rolldown"

const root = dirname(dirname(fileURLToPath(import.meta.url)))

/**
 * Program -> its main.ts, and what must stay outside of the bundle because it brings native code. One with `parts` is a small
 * program that starts one of them, each a script of its own in `folder` with its compiled code beside it.
 */
export const programs = {
  "main.js": {
    entry: "packages/agent/src/main.ts",
    external: [],
    inject: { FormData: [join(root, "scripts/no-forms.mjs"), "FormData"] },
    folder: "agent",
    parts: { daemon: "packages/agent/src/RunDaemon.ts", commands: "packages/agent/src/RunCommands.ts" }
  },
  // The root side: what each verb's unit starts for one connection. None holds a line of HTTP.
  "root-smart.js": { entry: "packages/agent/src/root/RunSmart.ts", external: [] },
  "root-mount.js": { entry: "packages/agent/src/root/RunMount.ts", external: [] },
  "root-pct-create.js": { entry: "packages/agent/src/root/RunPctCreate.ts", external: [] },
  // Makes the agent's compiled code where it is installed, for the Node that is there.
  "compile.js": { entry: "scripts/rehearsal/Compile.ts", external: [] },
  "hub.js": { entry: "packages/hub/src/main.ts", external: ["libsql"] },
  // The hub's thread that writes, which it starts from beside itself.
  "hub-writer.mjs": { entry: "packages/hub/src/hub-writer.mjs", external: ["libsql"] },
  "felhom.js": { entry: "packages/operator/src/main.ts", external: [] },
  "pve-sim.js": { entry: "packages/pve-sim/src/main.ts", external: [] },
  "story.js": { entry: "scripts/story/main.ts", external: [] },
  "fleet.js": { entry: "scripts/fleet/main.ts", external: [] },
  "evil-hub.js": { entry: "scripts/evil/main.ts", external: [] },
  "storm.js": { entry: "scripts/storm/main.ts", external: [] },
  // One life of an agent's op path, for those who kill it; fuzz.js starts it from beside itself.
  "crash-host.js": { entry: "scripts/crash/main.ts", external: [] },
  "fuzz.js": { entry: "scripts/fuzz/main.ts", external: [] },
  "bench.js": { entry: "scripts/bench/main.ts", external: ["libsql"] }
}

const bundle = async (file, entry, { external, inject = {} }) => {
  const build = await rolldown({
    input: join(root, entry),
    platform: "node",
    external,
    transform: { inject },
    logLevel: "warn"
  })
  await build.write({
    file,
    // Node starts a CommonJS program sooner, and only such a script can have its compiled code beside it.
    format: file.endsWith(".mjs") ? "esm" : "cjs",
    // Names in a stack trace are worth more than what mangling would save.
    minify: { mangle: false, compress: true },
    sourcemap: false,
    codeSplitting: false
  })
  await build.close()
  await writeFile(file, plain(await readFile(file, "utf8")))
}

/**
 * The same program without a character beyond ASCII: one of those makes V8 hold the whole script in two bytes a character. Only
 * texts, templates and patterns have any, which all read the escape.
 */
const plain = (script) =>
  script.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)

/** Has the programs with parts do their work once, on a simulated host, and keeps what V8 compiled for it beside them. */
const keepCompiledCode = async (dist) => {
  const rehearsal = join(dist, "rehearsal.js")
  await bundle(rehearsal, "scripts/rehearsal/main.ts", { external: [] })
  const { NODE_OPTIONS: _, ...environment } = process.env
  const child = spawn(process.execPath, [rehearsal], { env: environment, stdio: ["ignore", "inherit", "inherit"] })
  const [code] = await once(child, "close")
  await rm(rehearsal)
  // They run all the same, and take longer to start; felhom-agent doctor says so, too.
  if (code !== 0) console.error("the agent could not be rehearsed, so there is no compiled code to keep beside it")
}

export const build = async (onProgress = () => {}, dist = join(root, "dist"), wanted = Object.keys(programs)) => {
  await rm(dist, { recursive: true, force: true })
  await mkdir(dist, { recursive: true })
  // The bundles are CommonJS wherever the folder is copied to.
  await writeFile(join(dist, "package.json"), `${JSON.stringify({ type: "commonjs" }, null, 2)}\n`)
  for (const name of wanted) {
    const { entry, folder, parts = {}, ...options } = programs[name]
    onProgress(name)
    await bundle(join(dist, name), entry, options)
    for (const [part, script] of Object.entries(parts)) {
      await bundle(join(dist, folder, `${part}.js`), script, options)
    }
  }
  if (wanted.includes("main.js")) {
    onProgress("compiled code")
    await keepCompiledCode(dist)
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [folder, ...wanted] = process.argv.slice(2)
  await build(
    (name) => console.error(`bundling ${name}`),
    folder === undefined ? undefined : resolve(folder),
    wanted.length === 0 ? undefined : wanted
  )
}
