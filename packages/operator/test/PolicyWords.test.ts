import { parsePolicy } from "@felhom/authz/PolicyDocument"
import { policyWords } from "@felhom/operator/PolicyWords"
import { Either } from "effect"
import { describe, expect, it } from "vitest"

const wordsOf = (policy: object): ReadonlyArray<string> => {
  const bytes = new TextEncoder().encode(JSON.stringify({ typ: "felhom/policy/v1", ...policy }))
  return policyWords(Either.getOrThrowWith(parsePolicy(bytes), (why) => new Error(why)))
    .map((cell) => (typeof cell === "string" ? cell : cell.text))
}

const usual = wordsOf({})

describe("the words of a policy", () => {
  it("tell what holds where it says nothing", () => {
    expect(usual).toContain("  puts right   power, settings, network, volumes, guests")
    expect(usual).toContain("  new guests   on no storage")
    expect(usual).toContain("  at most      2 new guests and 100 GiB grown within 24 hours")
  })

  // Whoever signs a policy signs each of these.
  it.each<readonly [string, object, string]>([
    ["what is corrected", { correction: { power: "report" } }, "only tells   power"],
    ["what is not looked at", { correction: { network: "never" } }, "looks past   network, unnamed"],
    ["bridges", { bridges: ["vmbr1"] }, "bridges      \"vmbr1\""],
    ["storages", { storages: ["local-lvm"] }, "new guests   on \"local-lvm\""],
    [
      "images",
      { images: { debian: "local:vztmpl/d.tar.zst" } },
      "made from    \"debian\", which is \"local:vztmpl/d.tar.zst\""
    ],
    [
      "the usual floor",
      { floors: { usual: { free: 0, metadataFree: 1 } } },
      "keeps free   on each storage 0 % free, and 1 % of a thin pool's metadata"
    ],
    [
      "a storage's floor",
      { floors: { storages: { nas: { free: 3, metadataFree: 4 } } } },
      "on \"nas\" 3 % free, and 4 % of a thin pool's metadata"
    ],
    [
      "caps",
      { caps: { creations: 50, grownGib: 900 } },
      "at most      50 new guests and 900 GiB grown within 24 hours"
    ],
    ["the blast radius", { blastRadius: { guests: 99, minutes: 5 } }, "99 guests touched within 5 min"],
    ["numbers for drills", { scratch: { from: 900, to: 950 } }, "drills use   the numbers 900 to 950"],
    [
      "windows",
      { timeZone: "Europe/Budapest", maintenance: [{ weekdays: [0, 6], from: "02:30", minutes: 90 }] },
      "disturbs     02:30, for 90 min, Sunday, Saturday (\"Europe/Budapest\")"
    ]
  ])("tell %s", (_, desired, words) => {
    const told = wordsOf({ desired })
    expect(told.filter((line) => !usual.includes(line)).join("\n")).toContain(words)
  })

  it("leave out none of a long list, and show no escape of a name's", () => {
    const bridges = Array.from({ length: 40 }, (_, index) => `vmbr${index}`)
    expect(wordsOf({ desired: { bridges } }).join("\n")).toContain("\"vmbr39\"")
    expect(wordsOf({ desired: { bridges: ["\u001b[2Jvmbr0"] } }).join("\n")).not.toContain("\u001b")
  })
})
