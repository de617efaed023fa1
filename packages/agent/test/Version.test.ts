import { it } from "@effect/vitest"
import { version } from "@felhom/domain/Version"
import { Schema } from "effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { expect } from "vitest"

const root = join(import.meta.dirname, "../../..")

it("is the same in package.json, at the top of the changelog, and in the programs", () => {
  const manifest = Schema.decodeUnknownSync(Schema.parseJson(Schema.Struct({ version: Schema.String })))(
    readFileSync(join(root, "package.json"), "utf8")
  )
  const [, newest] = /^## (\d+\.\d+\.\d+)/m.exec(readFileSync(join(root, "CHANGELOG.md"), "utf8")) ?? []
  expect(manifest.version).toBe(version)
  expect(newest).toBe(version)
})
