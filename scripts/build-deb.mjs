// npm run build-deb: installs, builds, and packs felhom-agent, felhom-hub and felhom for Debian, below dist/. The same sources give the
// same bytes. `npm run build-deb -- --dist FOLDER` packs what was built there before; `--out FOLDER` puts the packages there, `--only NAME`
// makes one of them.
import { join, resolve } from "node:path"
import { parseArgs } from "node:util"
import { readChangelog } from "./deb/Changelog.mjs"
import { buildDeb } from "./deb/Deb.mjs"
import { packages } from "./deb/Packages.mjs"
import { install, main, progress, root } from "./toolchain.mjs"

/**
 * Packs all of it, and gives the packages' paths. Every file bears the time of the newest version, or SOURCE_DATE_EPOCH. `version` is
 * another one than the newest's, for those who try an upgrade; `only` one package by its name.
 */
export const buildDebs = (dist, out, { only = undefined, version = undefined } = {}) => {
  const [newest, ...older] = readChangelog(join(root, "CHANGELOG.md"))
  const versions = [version === undefined ? newest : { ...newest, version }, ...older]
  const { SOURCE_DATE_EPOCH: given } = process.env
  if (given !== undefined && !/^\d+$/.test(given)) {
    throw new Error(`SOURCE_DATE_EPOCH=${given}: must be seconds since 1970`)
  }
  const seconds = given === undefined ? versions[0].seconds : Number(given)
  const modules = join(root, "node_modules")
  const wanted = packages({ root, dist }).filter(({ name }) => only === undefined || name === only)
  if (wanted.length === 0) throw new Error(`--only ${only}: there is no such package`)
  return wanted.map((spec) => buildDeb(spec, { dist, modules, out, seconds, versions }))
}

if (process.argv[1] === import.meta.filename) {
  const options = { dist: { type: "string" }, only: { type: "string" }, out: { type: "string" } }
  const { values } = parseArgs({ options })
  main(async () => {
    const dist = resolve(values.dist ?? join(root, "dist"))
    if (values.dist === undefined) {
      await install()
      const { build } = await import("./build.mjs")
      await progress("building", build)
    }
    for (const path of buildDebs(dist, resolve(values.out ?? dist), values)) console.log(path)
  })
}
