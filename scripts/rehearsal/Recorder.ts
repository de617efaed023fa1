import { cachePath, type CodeCacheRecord, compile, digestOf, recordPath, run } from "@felhom/node/Program"
import { readFileSync, writeFileSync } from "node:fs"
import { cachedDataVersionTag } from "node:v8"

/** The first argument that makes a rehearsal run one script and record it. */
export const recorderName = "record"

/** Runs a script as its program would, and at its end writes what V8 compiled of it, and the record, beside it. */
export const record = (path: string, args: ReadonlyArray<string>): void => {
  const compiled = compile(path)
  process.argv = [process.execPath, path, ...args]
  process.once("exit", () => {
    const cache = compiled.script.createCachedData()
    const found: CodeCacheRecord = {
      node: process.version,
      v8: process.versions.v8,
      arch: process.arch,
      tag: cachedDataVersionTag(),
      sha256: digestOf(readFileSync(path), cache)
    }
    writeFileSync(cachePath(path), cache)
    writeFileSync(recordPath(path), `${JSON.stringify(found, null, 2)}\n`)
  })
  run(compiled)
}
