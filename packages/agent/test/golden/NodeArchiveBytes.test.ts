import { it } from "@effect/vitest"
import { nodeArchiveBytes } from "@felhom/agent/golden/NodeArchiveBytes"
import { Effect } from "effect"
import { createHash, randomBytes } from "node:crypto"
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect } from "vitest"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "felhom-archive-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

it.scopedLive("an archive is read to its last byte, and one byte off is another hash", () =>
  Effect.gen(function*() {
    const path = join(yield* folder, "archive")
    // Longer than a piece that is read at once, and no multiple of it.
    const bytes = randomBytes(2 * 1024 * 1024 + 17)
    const hashed = () => createHash("sha256").update(bytes).digest("hex")
    writeFileSync(path, bytes)
    const first = yield* nodeArchiveBytes.read(path)
    expect(first).toEqual({ sha256: hashed(), size: bytes.length })
    bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 1
    writeFileSync(path, bytes)
    const second = yield* nodeArchiveBytes.read(path)
    expect(second).toEqual({ sha256: hashed(), size: bytes.length })
    expect(second.sha256).not.toBe(first.sha256)
  }))

it.scopedLive("an archive that is not there, is no file, or may not be read is said in words", () =>
  Effect.gen(function*() {
    const directory = yield* folder
    expect(yield* Effect.flip(nodeArchiveBytes.read(join(directory, "gone")))).toBe(`${directory}/gone is not there`)
    expect(yield* Effect.flip(nodeArchiveBytes.read(directory))).toContain("it is no file")
    const secret = join(directory, "secret")
    writeFileSync(secret, "x")
    chmodSync(secret, 0)
    const read = yield* Effect.either(nodeArchiveBytes.read(secret))
    // Root reads everything.
    if (process.getuid?.() !== 0) expect(read).toMatchObject({ left: `the agent's user may not read ${secret}` })
  }))
