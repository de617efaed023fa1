import { writeFileSync } from "node:fs"
import { cpus, loadavg, totalmem } from "node:os"
import { join } from "node:path"
import * as Cycles from "./Cycles.ts"
import * as Durable from "./Durable.ts"
import { anyFailed, type Figure, tableOf } from "./Figure.ts"
import * as HubCost from "./HubCost.ts"
import * as HubLoad from "./HubLoad.ts"
import * as Hundred from "./Hundred.ts"
import * as Overshoot from "./Overshoot.ts"
import * as Planning from "./Planning.ts"
import { dist, stopAll } from "./Process.ts"
import * as Signatures from "./Signatures.ts"
import * as Start from "./Start.ts"
import * as Weight from "./Weight.ts"

const benches: { readonly [name: string]: () => Promise<ReadonlyArray<Figure>> } = {
  start: Start.measure,
  weight: Weight.measure,
  cycles: Cycles.measure,
  overshoot: Overshoot.measure,
  signatures: Signatures.measure,
  durable: Durable.measure,
  planning: Planning.measure,
  hundred: Hundred.measure,
  hub: HubCost.measure,
  load: HubLoad.measure
}

const machine = (): string => {
  const [cpu] = cpus()
  const load = loadavg().map((value) => value.toFixed(2)).join(" ")
  return `Node ${process.version}, V8 ${process.versions.v8}, ${cpus().length} x ${
    cpu?.model ?? "unknown processor"
  }, ` +
    `${Math.round(totalmem() / 2 ** 30)} GiB, load ${load}`
}

const main = async (names: ReadonlyArray<string>): Promise<number> => {
  const unknown = names.find((name) => !(name in benches))
  if (unknown !== undefined) {
    console.error(`there is no bench ${unknown}; there are ${Object.keys(benches).join(", ")}`)
    return 2
  }
  const figures: Array<Figure> = []
  const before = machine()
  console.log(before)
  for (const [name, measure] of Object.entries(benches)) {
    if (names.length > 0 && !names.includes(name)) continue
    const began = performance.now()
    const found = await measure()
    figures.push(...found)
    console.log(`\n${name}, in ${Math.round((performance.now() - began) / 1000)} s\n${tableOf(found)}`)
  }
  const after = machine()
  const file = join(dist, "bench.json")
  writeFileSync(file, `${JSON.stringify({ takenAt: new Date().toISOString(), before, after, figures }, null, 2)}\n`)
  console.log(`\n${after}\nas JSON: ${file}`)
  return anyFailed(figures) ? 1 : 0
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.once(signal, () => {
    stopAll()
    process.exit(130)
  })
}

/** Some benches do a part of theirs in a process of its own, which is this program again. */
const children: { readonly [name: string]: (args: ReadonlyArray<string>) => Promise<void> } = {
  [Cycles.childName]: Cycles.child,
  [HubLoad.childName]: HubLoad.child
}

const [first = "", ...others] = process.argv.slice(2)
const child = children[first]
const ended = child === undefined ? main(first === "" ? [] : [first, ...others]) : child(others).then(() => 0)
ended.then(
  (code) => {
    stopAll()
    process.exit(code)
  },
  (error: unknown) => {
    stopAll()
    console.error(error instanceof Error ? error.message : String(error))
    process.exit(1)
  }
)
