// Bundles every program into one file each, below dist/. Run by `pnpm build`, `npm start` and `npm test`.
import { mkdir, rm, writeFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { rolldown } from "rolldown"

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const dist = join(root, "dist")

/** Program -> its main.ts, and what must stay outside of the bundle because it brings native code. */
export const programs = {
  "main.js": { entry: "packages/agent/src/main.ts", external: [] },
  "hub.js": { entry: "packages/hub/src/main.ts", external: ["@libsql/client"] },
  "felhom.js": { entry: "packages/operator/src/main.ts", external: [] },
  "pve-sim.js": { entry: "packages/pve-sim/src/main.ts", external: [] },
  "story.js": { entry: "scripts/story/main.ts", external: [] },
  "bench.js": { entry: "scripts/bench/main.ts", external: [] }
}

const bundle = async (name, { entry, external }) => {
  const build = await rolldown({
    input: join(root, entry),
    platform: "node",
    external,
    logLevel: "warn"
  })
  await build.write({
    file: join(dist, name),
    format: "esm",
    // Names in a stack trace are worth more than what mangling would save.
    minify: { mangle: false, compress: true },
    sourcemap: false
  })
  await build.close()
}

export const build = async (onProgress = () => {}) => {
  await rm(dist, { recursive: true, force: true })
  await mkdir(dist, { recursive: true })
  // The bundles are ES modules wherever the folder is copied to.
  await writeFile(join(dist, "package.json"), `${JSON.stringify({ type: "module" }, null, 2)}\n`)
  for (const [name, program] of Object.entries(programs)) {
    onProgress(name)
    await bundle(name, program)
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await build((name) => console.error(`bundling dist/${name}`))
}
