import { HostStoragePolicy, noHostStorage } from "@felhom/domain/HostStoragePolicy"
import { Either, Schema } from "effect"
import { describe, expect, it } from "vitest"

const decode = Schema.decodeUnknownEither(HostStoragePolicy, { onExcessProperty: "error" })

const uuid = "1741368e-c387-42cc-8971-e25211e7e768"
const fingerprint = Array.from({ length: 32 }, () => "0A").join(":")
const set = { storage: "usb", disks: { blue: { uuid } } }
const nas = { type: "nfs", server: "nas.example", export: "/volume1/backup" }
const vault = {
  type: "pbs",
  server: "192.0.2.10",
  datastore: "home",
  username: "agent@pbs!attic",
  credential: "vault",
  fingerprint
}

describe("the host's policy of storages", () => {
  it("fills in what need not be said: backups alone, no serial, away for as long as it likes", () => {
    expect(Either.getOrThrow(decode({}))).toEqual(noHostStorage)
    expect(Either.getOrThrow(decode({ disks: { backup: set }, network: { nas, vault } }))).toEqual({
      disks: {
        backup: { storage: "usb", content: ["backup"], disks: { blue: { uuid, serial: null, backAfterDays: null } } }
      },
      network: { nas: { ...nas, content: ["backup"] }, vault: { ...vault, port: 8007 } },
      writesCluster: false
    })
  })

  it.each<readonly [what: string, policy: object, words: string]>([
    [
      "a set's name that leaves its folder",
      { disks: { "../etc": set } },
      "is unexpected, expected: a string matching the pattern"
    ],
    [
      "a disk's name with a newline",
      { disks: { backup: { ...set, disks: { "a\nb": { uuid } } } } },
      "is unexpected, expected: a string matching the pattern"
    ],
    [
      "a UUID that is a path",
      { disks: { backup: { ...set, disks: { blue: { uuid: "../../sda" } } } } },
      "not the UUID"
    ],
    ["a serial with a newline", { disks: { backup: { ...set, disks: { blue: { uuid, serial: "a\nb" } } } } }, "serial"],
    ["a set without a disk", { disks: { backup: { ...set, disks: {} } } }, "one disk or more"],
    ["no content", { disks: { backup: { ...set, content: [] } } }, "at least 1"],
    ["a content that there is none of", { disks: { backup: { ...set, content: ["everything"] } } }, "everything"],
    ["a key that nobody knows", { disks: { backup: { ...set, format: true } } }, "format"],
    [
      "one UUID twice",
      { disks: { backup: { ...set, disks: { blue: { uuid }, red: { uuid: uuid.toUpperCase() } } } } },
      "the UUID"
    ],
    ["one disk in two sets", {
      disks: { a: set, b: { storage: "usb2", disks: { blue: { uuid: uuid.replace("1", "2") } } } }
    }, "the disk blue"],
    ["one storage for two", { disks: { a: set }, network: { USB: nas } }, "the storage usb"],
    ["a server that is a URL", { network: { nas: { ...nas, server: "https://nas" } } }, "host name"],
    ["an export with a blank", { network: { nas: { ...nas, export: "/a b" } } }, "absolute path"],
    ["an export that is none", { network: { nas: { ...nas, export: "backup" } } }, "absolute path"],
    ["a share with a slash", { network: { s: { type: "cifs", server: "nas", share: "a/../b" } } }, "share"],
    [
      "a backup server without a fingerprint",
      { network: { vault: { ...vault, fingerprint: undefined } } },
      "fingerprint"
    ],
    ["a short fingerprint", { network: { vault: { ...vault, fingerprint: "0A:0B" } } }, "32 pairs"],
    [
      "a secret in the place of its name",
      { network: { vault: { ...vault, credential: "S3cr et!" } } },
      "name of a credential"
    ],
    ["a password", { network: { vault: { ...vault, password: "x" } } }, "password"]
  ])("refuses %s", (_, policy, words) => {
    const found = decode(policy)
    expect(Either.isLeft(found) ? found.left.message : "it was taken").toContain(words)
  })
})
