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
      "golden images",
      { golden: { images: ["debian-13"] } },
      "golden       \"debian-13\", as its signed manifest says\n" +
      "               only where the archive's bytes are read and are those that were signed"
    ],
    [
      "golden images whose bytes nobody compares",
      { golden: { images: ["debian-13"], unread: true } },
      "also where the archive's bytes can't be read"
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

  it("tell every disk and every other machine that the host would set up", () => {
    const uuid = "1741368e-c387-42cc-8971-e25211e7e768"
    const fingerprint = Array.from({ length: 32 }, () => "AB").join(":")
    const told = wordsOf({
      storage: {
        disks: {
          backup: {
            storage: "usb",
            disks: { blue: { uuid, serial: "B 1", backAfterDays: 14 }, red: { uuid: uuid.replace("1", "2") } }
          }
        },
        network: {
          nas: { type: "nfs", server: "nas.example", export: "/b", content: ["backup", "iso"] },
          open: { type: "cifs", server: "nas.example", share: "open" },
          photos: { type: "cifs", server: "nas.example", share: "photos", username: "attic", credential: "photos" },
          vault: {
            type: "pbs",
            server: "pbs.example",
            datastore: "home",
            namespace: "attic",
            username: "a@pbs",
            credential: "vault",
            fingerprint
          }
        },
        writesCluster: true
      }
    }).filter((line) => !usual.includes(line)).map((line) => line.trim())
    expect(told).toEqual([
      "storages that the host sets up and keeps:",
      "\"usb\", disks that take turns at /mnt/felhom/backup, for backup",
      `"blue": UUID ${uuid}, serial "B 1", back after 14 days`,
      `"red": UUID ${uuid.replace("1", "2")}`,
      "\"nas\", nfs: \"nas.example\" \"/b\", for backup, iso",
      "\"open\", cifs: \"nas.example\" \"open\", for backup",
      "as a guest, with no secret",
      "\"photos\", cifs: \"nas.example\" \"photos\", for backup",
      "as \"attic\", with the host's secret \"photos\"",
      "\"vault\", pbs: \"pbs.example\" \"8007 home attic\", for backup",
      "as \"a@pbs\", with the host's secret \"vault\"",
      `known by ${fingerprint}`,
      "also on a cluster of several nodes, whose storages are everybody's"
    ])
  })

  it("leave out none of a long list, and show no escape of a name's", () => {
    const bridges = Array.from({ length: 40 }, (_, index) => `vmbr${index}`)
    expect(wordsOf({ desired: { bridges } }).join("\n")).toContain("\"vmbr39\"")
    expect(wordsOf({ desired: { bridges: ["\u001b[2Jvmbr0"] } }).join("\n")).not.toContain("\u001b")
  })
})
