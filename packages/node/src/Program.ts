import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { Script } from "node:vm"
import * as Vm from "node:vm"

// Read before anything else of a program is there, so it stands on nothing but Node, and asks for what not every start needs
// only when it is needed.

/** What a build writes beside a script: for which Node the compiled code is, and the hash that it must have. */
export interface CodeCacheRecord {
  /** `process.version`. */
  readonly node: string
  /** `process.versions.v8`. */
  readonly v8: string
  /** `process.arch`. */
  readonly arch: string
  /** V8's own tag of its version, the processor's features and the flags that it runs under. */
  readonly tag: number
  /** SHA-256, in hex, of the script's bytes and the compiled code's, one after the other. */
  readonly sha256: string
}

/** Whether a start was spared reading and compiling, and else why not, in words. */
export type CodeCacheUse = { readonly state: "used" } | { readonly state: "unused"; readonly reason: string }

/** A script that is ready to run. */
export interface Compiled {
  readonly path: string
  readonly script: Script
  readonly use: CodeCacheUse
}

const unused = (reason: string): CodeCacheUse => ({ state: "unused", reason })

/** Where a script's compiled code is. */
export const cachePath = (path: string): string => `${path}.cache`

/** Where it is written down what the compiled code must be. */
export const recordPath = (path: string): string => `${path}.cache.json`

/** The hash that a record holds. */
export const digestOf = (source: Uint8Array, cache: Uint8Array): string =>
  process.getBuiltinModule("node:crypto").createHash("sha256").update(source).update(cache).digest("hex")

const isRecord = (value: unknown): value is CodeCacheRecord =>
  typeof value === "object" && value !== null && "node" in value && "v8" in value && "arch" in value &&
  "sha256" in value && typeof value.sha256 === "string"

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    // Not JSON is not a record, which is all that its reader asks.
    return undefined
  }
}

const absent = (error: unknown): boolean => error instanceof Error && "code" in error && error.code === "ENOENT"

const reading = (path: string): Buffer | string => {
  try {
    return readFileSync(path)
  } catch (error) {
    return absent(error) ? "there is none" : `it could not be read: ${String(error)}`
  }
}

/**
 * The compiled code of a script, if it is exactly what the build wrote for this script and this Node. V8 trusts what it is
 * given and crashes on a damaged cache, so nothing else reaches it; that its flags are the same V8 looks at by itself.
 */
const cacheOf = (path: string, source: Buffer): Buffer | CodeCacheUse => {
  const text = reading(recordPath(path))
  if (typeof text === "string") return unused(`${recordPath(path)}: ${text}`)
  const record = parsed(text.toString("utf8"))
  if (!isRecord(record)) return unused(`${recordPath(path)} is not what the build writes`)
  if (record.node !== process.version || record.v8 !== process.versions.v8 || record.arch !== process.arch) {
    return unused(
      `it was made for Node ${record.node} on ${record.arch}, and this is ${process.version} on ${process.arch}`
    )
  }
  const cache = reading(cachePath(path))
  if (typeof cache === "string") return unused(`${cachePath(path)}: ${cache}`)
  return digestOf(source, cache) === record.sha256
    ? cache
    : unused(`${cachePath(path)} is not what the build wrote for ${path}`)
}

// The same text for who makes compiled code and who uses it: V8 compares its length.
const wrapped = (source: Buffer): string =>
  `(function (exports, require, module, __filename, __dirname) { ${source.toString("utf8")}\n})`

/**
 * Compiles a script (CommonJS), or takes it compiled from beside it. Without compiled code, or with code that is not the
 * build's, a start takes longer and nothing else changes. Throws when the script itself can't be read.
 */
export const compile = (path: string): Compiled => {
  const source = readFileSync(path)
  const cache = cacheOf(path, source)
  const script = new Script(wrapped(source), {
    filename: path,
    importModuleDynamically: Vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    ...(cache instanceof Uint8Array ? { cachedData: cache } : {})
  })
  if (!(cache instanceof Uint8Array)) return { path, script, use: cache }
  return {
    path,
    script,
    use: script.cachedDataRejected === true
      ? unused("Node runs with other flags (NODE_OPTIONS?) than the build did")
      : { state: "used" }
  }
}

/** Runs a script as Node would. What it exports is not looked at. */
export const run = ({ path, script }: Compiled): void => {
  const module: { exports: unknown } = { exports: {} }
  const body: unknown = script.runInThisContext()
  if (typeof body !== "function") throw new Error(`${path} is not a script of this program`)
  Reflect.apply(body, module.exports, [module.exports, createRequire(path), module, path, dirname(path)])
}

/** Runs one part of a program: the script of that name in the folder that the build filled. */
export const launch = (directory: string, part: string): void => run(compile(join(directory, `${part}.js`)))
