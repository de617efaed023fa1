// npm run try-deb: builds the packages and tries them on a Debian 13 of its own, under its real systemd and Debian's own Node: install,
// configure, enrol, report, bad requests at the sockets, upgrade, remove, purge. Says so and ends with 0 where no such machine can be had.
// `--dist FOLDER` packs what was built there before;
import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { parseArgs } from "node:util"
import { buildDebs } from "./build-deb.mjs"
import { readChangelog } from "./deb/Changelog.mjs"
import { boot, makeImage, whyNot } from "./deb/Machine.mjs"
import { play } from "./deb/Trial.mjs"
import { install, main, progress, root } from "./toolchain.mjs"

/** What lintian minds beyond the listed overrides, where there is a lintian. */
const lint = (debs) => {
  const found = spawnSync("lintian", ["--no-cfg", "--display-info", "--allow-root", ...debs], { encoding: "utf8" })
  if (found.error !== undefined) console.log("not linted: there is no lintian")
  else if (found.stdout !== "") throw new Error(`lintian:\n${found.stdout}`)
}

const { values } = parseArgs({ options: { dist: { type: "string" }, suite: { type: "string", default: "trixie" } } })

main(async () => {
  const reason = whyNot()
  if (reason !== undefined) {
    console.log(`not tried: ${reason}`)
    return
  }
  const dist = resolve(values.dist ?? join(root, "dist"))
  if (values.dist === undefined) {
    await install()
    const { build } = await import("./build.mjs")
    await progress("building", build)
  }
  const work = join(root, "build/try-deb")
  const [{ version }] = readChangelog(join(root, "CHANGELOG.md"))
  const debs = buildDebs(dist, join(work, "now"))
  // The one with native code; npm test does the same with the agent's.
  const [again] = buildDebs(dist, join(work, "again"), { only: "felhom-hub" })
  if (!readFileSync(again).equals(readFileSync(debs[1]))) throw new Error(`${again} is not what ${debs[1]} is`)
  lint(debs)
  const later = buildDebs(dist, join(work, "later"), { version: `${version}+later1` })
  const image = join(work, `${values.suite}.tar`)
  await progress(`a ${values.suite} of its own`, async () => makeImage(values.suite, image))
  const machine = await boot(image, join(work, "machine"))
  try {
    await play(machine, { debs, later, dist })
  } catch (error) {
    console.error(machine.run("systemctl status --no-pager -n0 'felhom-*'; journalctl --no-pager -n 60 -o cat").out)
    throw error
  } finally {
    await machine.stop()
  }
  console.log(`\ntried on ${values.suite}: all of it went well`)
})
