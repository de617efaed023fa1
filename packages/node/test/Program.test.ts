import { afterEach, beforeEach, describe, expect, it } from "@effect/vitest"
import { cachePath, compile, digestOf, launch, recordPath } from "@felhom/node/Program"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const source = "module.exports = 1; globalThis.felhomProgramRan = (globalThis.felhomProgramRan ?? 0) + 1"

const ran = (): unknown => Reflect.get(globalThis, "felhomProgramRan")

describe("a program's script", () => {
  let folder = ""
  let path = ""

  const record = (changes: object = {}) => {
    const cache = compile(path).script.createCachedData()
    writeFileSync(cachePath(path), cache)
    const truth = {
      node: process.version,
      v8: process.versions.v8,
      arch: process.arch,
      tag: 0,
      sha256: digestOf(readFileSync(path), cache)
    }
    writeFileSync(recordPath(path), JSON.stringify({ ...truth, ...changes }))
  }

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "felhom-program-"))
    path = join(folder, "part.js")
    writeFileSync(path, source)
    Reflect.deleteProperty(globalThis, "felhomProgramRan")
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  const expectUnused = (words: string) => {
    expect(compile(path).use).toEqual({ state: "unused", reason: expect.stringContaining(words) })
    launch(folder, "part")
    expect(ran()).toBe(1)
  }

  it("runs without compiled code beside it", () => expectUnused("there is none"))

  it("takes the compiled code that its build wrote", () => {
    record()
    expect(compile(path).use).toEqual({ state: "used" })
    launch(folder, "part")
    expect(ran()).toBe(1)
  })

  it("leaves compiled code alone that is damaged", () => {
    record()
    const bytes = readFileSync(cachePath(path))
    bytes.writeUInt8(bytes.readUInt8(bytes.length - 5) ^ 1, bytes.length - 5)
    writeFileSync(cachePath(path), bytes)
    expectUnused("is not what the build wrote")
  })

  it("leaves compiled code alone that was cut short", () => {
    record()
    writeFileSync(cachePath(path), readFileSync(cachePath(path)).subarray(0, 100))
    expectUnused("is not what the build wrote")
  })

  it("leaves the compiled code of another script alone, even one of the same length", () => {
    record()
    writeFileSync(path, source.replace("= 1;", "= 2;"))
    expectUnused("is not what the build wrote")
  })

  it("leaves compiled code alone that is for another Node", () => {
    record({ node: "v18.0.0" })
    expectUnused("v18.0.0")
  })

  it("leaves compiled code alone whose record is gone or does not read", () => {
    record()
    writeFileSync(recordPath(path), "{")
    expectUnused("is not what the build writes")
    rmSync(recordPath(path))
    Reflect.deleteProperty(globalThis, "felhomProgramRan")
    expectUnused("there is none")
  })
})
