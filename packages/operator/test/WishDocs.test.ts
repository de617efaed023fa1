import { describe, it } from "@effect/vitest"
import { HostReport, Inventory } from "@felhom/domain/HostReport"
import { previewOf } from "@felhom/operator/desired/ReportSight"
import { resolveHost } from "@felhom/operator/desired/WishGuests"
import { wishFileJsonSchema } from "@felhom/operator/desired/WishSchema"
import { type ReadWish, readWish } from "@felhom/operator/desired/WishText"
import { Either, Schema } from "effect"
import { readFileSync } from "node:fs"
import { expect } from "vitest"
import { known } from "./DesiredWorld.ts"
import { summary, wireDetail, wireSummary } from "./HostBuilder.ts"
import { now, opReport, trust } from "./OpWorld.ts"

const page = readFileSync(new URL("../../../docs/desired-state-files.md", import.meta.url), "utf8")
const [, example = ""] = /```yaml\n([^]*?)```/.exec(page) ?? []

const read = (text: string): ReadWish =>
  Either.getOrThrowWith(readWish("attic.yaml", text), (why) => JSON.stringify(why))

const attic = () => {
  const { inventory, sections } = opReport([
    known(101, "blog", { status: "stopped" }),
    known(102, "wiki"),
    known(200, "old-shop", { type: "qemu" })
  ])
  const report = Schema.decodeUnknownSync(HostReport)({
    typ: "felhom/report/v1",
    host: wireSummary().host,
    sequence: 1,
    takenAt: now,
    inventoryHash: "d".repeat(64),
    inventory,
    samples: wireDetail([]).samples,
    sections,
    events: [],
    eventsDropped: 0,
    trust
  })
  return { report, inventory: Schema.decodeUnknownSync(Inventory)(inventory), code: "AAAA-BBBB-CCCC-DDDD" }
}

describe("the page on files of wishes", () => {
  it("has an example that is taken, means whom it says, and differs where the page says", () => {
    const file = read(example)
    const resolved = Either.getOrThrow(resolveHost({ summary: summary(), files: [file] }, attic()))
    expect(resolved.guests.map(({ called }) => called)).toEqual([
      "lxc/101 blog",
      "lxc/102 wiki",
      "qemu/200 old-shop",
      "new shop"
    ])
    const preview = previewOf(resolved.guests, attic())
    expect(preview.plan.steps.map(({ id }) => id)).toEqual([
      "lxc/102 guest.shutdown",
      "lxc/101 config.set tags",
      "lxc/101 config.set protection",
      "lxc/101 config.set memory",
      "qemu/200 config.set description",
      expect.stringMatching(/^new [0-9a-f]{32} guest\.make$/),
      "lxc/101 guest.start",
      expect.stringMatching(/^new [0-9a-f]{32} guest\.start$/)
    ])
    expect(preview.untold).toEqual([{ called: "qemu/200 old-shop", settings: ["cores", "nets", "volumes"] }])
  })

  it("begins with the line that brings the schema to an editor, which describes each key that the page names", () => {
    expect(example).toMatch(/^# yaml-language-server: \$schema=\.\/felhom\.schema\.json\n/)
    const keys = Array.from(page.matchAll(/^\| `(\w+)` \|/gm), ([, key]) => key)
    expect(keys).toEqual(["host", "hosts", "goodFor", "guests"])
    expect(wishFileJsonSchema).toMatchObject({
      properties: Object.fromEntries(keys.map((key) => [key, { description: expect.any(String) }]))
    })
  })
})
