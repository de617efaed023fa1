// Plants one bug after the other into a copy of all the code, and lets a campaign look for it.
import { spawn } from "node:child_process"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { rolldown } from "rolldown"
import { root } from "../toolchain.mjs"
import { bugs } from "./bugs.mjs"

const schedules = 5000

/** The file's text with the line changed; throws where that line is not there exactly once. */
const changed = (text, { file, instead, line }) => {
  const lines = text.split("\n")
  const found = lines.filter((one) => one.trim() === line).length
  if (found !== 1) throw new Error(`${file} has ${found} lines that read: ${line}`)
  return lines.map((one) => (one.trim() === line ? instead : one)).join("\n")
}

const bundled = async (file, changes) => {
  const pending = new Set(changes)
  const build = await rolldown({
    input: join(root, "scripts/storm/main.ts"),
    platform: "node",
    logLevel: "warn",
    plugins: [{
      name: "planted bug",
      transform: {
        order: "pre",
        handler: (text, id) => {
          let after = text
          for (const change of changes) {
            if (id !== join(root, change.file)) continue
            after = changed(after, change)
            pending.delete(change)
          }
          return after === text ? null : { code: after }
        }
      }
    }]
  })
  await build.write({ file, format: "esm", codeSplitting: false })
  await build.close()
  const [unused] = pending
  if (unused !== undefined) throw new Error(`the storm does not run ${unused.file}`)
}

const output = (program, { invariant }) =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [
      "--max-semi-space-size=64",
      "--min-semi-space-size=64",
      program,
      "--schedules",
      String(schedules),
      "--until",
      invariant,
      "--whole"
    ], { stdio: ["ignore", "pipe", "pipe"] })
    let text = ""
    let errors = ""
    child.stdout.on("data", (part) => {
      text += part
    })
    child.stderr.on("data", (part) => {
      errors += part
    })
    child.on("error", reject)
    child.on("close", () => {
      // How far it is stands there, too, which is of no use unless it did not come to its end.
      if (!/^\d+ schedules, /m.test(text)) process.stderr.write(errors)
      resolve(text)
    })
  })

const judged = (text, { invariant, name }) => {
  const broken = [...text.matchAll(/^seed (\d+): (I\d+|converges) does not hold/gm)].map(([, seed, which]) => ({
    seed,
    which
  }))
  const [, after] = /^(\d+) schedules, /m.exec(text) ?? []
  const found = broken.find(({ which }) => which === invariant)
  // A bug may break more than one, and what it breaks first is not always what it is known by.
  const others = [...new Set(broken.map(({ which }) => which))].filter((which) => which !== invariant)
  const beside = others.length === 0 ? "" : `, beside ${others.join(", ")}`
  const told = found === undefined
    ? `overlooked in ${after ?? "?"} schedules${beside}`
    : `after ${after} schedules (seed ${found.seed})${beside}`
  console.log(`${found === undefined ? "MISSED  " : "found   "} ${invariant.padEnd(9)} ${name}: ${told}`)
  return found !== undefined
}

/** Looks for all bugs, or for those of these invariants or names; answers with the exit code. */
export const teeth = async (wanted) => {
  const chosen = bugs.filter(({ invariant, name }) =>
    wanted.length === 0 || wanted.includes(invariant) || wanted.includes(name)
  )
  const folder = await mkdtemp(join(tmpdir(), "felhom-teeth-"))
  let found = 0
  try {
    for (const [at, bug] of chosen.entries()) {
      const program = join(folder, `${at}.mjs`)
      await bundled(program, bug.changes)
      if (judged(await output(program, bug), bug)) found += 1
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
  console.log(`${found} of ${chosen.length} planted bugs found`)
  return found === chosen.length && found > 0 ? 0 : 1
}
