import { disksText, healthText } from "@felhom/agent/disks/DiskText"
import { StorageId } from "@felhom/domain/ProxmoxId"
import { EpochMillis } from "@felhom/domain/Time"
import { describe, expect, it } from "vitest"

const now = 1_790_000_000_000
const evil = "\u001b[2J\nset backup: ready\u202e"

const device = {
  path: "/dev/sdb1",
  uuid: "1741368e-c387-42cc-8971-e25211e7e768",
  fstype: "ext4",
  label: null,
  size: 1024 ** 4,
  tran: "usb",
  serial: null,
  mountpoint: null,
  refusal: null
}

describe("what root is shown of disks", () => {
  it("says of each set and disk how it is, and of each device whether it may be mounted", () => {
    expect(disksText({
      kept: {
        sets: [{
          name: "backup",
          storage: StorageId.make("usb"),
          state: "missing",
          why: "no disk of it is plugged in",
          members: [
            {
              name: "blue",
              state: "due-back",
              mountedAt: EpochMillis.make(now - 20 * 86_400_000),
              why: "blue is due back"
            },
            { name: "red", state: "away", mountedAt: null, why: null }
          ]
        }],
        network: [{ storage: StorageId.make("nas"), type: "nfs", state: "ready", why: null }]
      },
      devices: [device, { ...device, path: "/dev/sda", mountpoint: "/", refusal: "it is on a disk of this system" }]
    }, now)).toEqual([
      "set backup, storage usb: missing: no disk of it is plugged in",
      "    blue          due-back  last mounted 20 d ago: blue is due back",
      "    red           away      never mounted",
      "storage nas (nfs): ready",
      "",
      "plugged in:",
      "/dev/sdb1  1024.0 GiB  ext4  label -  UUID 1741368e-c387-42cc-8971-e25211e7e768  serial -",
      "    may be mounted",
      "/dev/sda  1024.0 GiB  ext4  label -  UUID 1741368e-c387-42cc-8971-e25211e7e768  serial -  at /",
      "    it is on a disk of this system"
    ])
    expect(disksText({ kept: { sets: [], network: [] }, devices: [] }, now)).toContain(
      "the host's policy names no disks and no network storages"
    )
  })

  it("shows a label with newlines, escapes or dots as what it is", () => {
    const lines = disksText({
      kept: { sets: [], network: [] },
      devices: [{ ...device, label: evil, fstype: evil, serial: "../../etc", refusal: evil }]
    }, now)
    expect(lines).toHaveLength(5)
    expect(lines.join("")).not.toMatch(/[\u0000-\u001f\u202e]/)
    expect(lines[3]).toContain("serial ../../etc")
  })
})

describe("what root is shown of health", () => {
  it("has a line for each thing, with its reasons below", () => {
    expect(healthText({
      lookedAt: EpochMillis.make(now - 60_000),
      lines: [
        {
          kind: "disk",
          name: "/dev/sdb",
          id: "WD1",
          state: "fail",
          since: EpochMillis.make(now - 7_200_000),
          reasons: ["it has 9 reallocated sectors", evil],
          storages: [StorageId.make("usb")]
        },
        { kind: "disk-set", name: "b", id: "b", state: "ok", since: EpochMillis.make(now), reasons: [], storages: [] }
      ],
      omitted: 3
    }, now)).toEqual([
      "looked at 1 min ago",
      "fail     disk /dev/sdb (WD1), with usb, for 2 h",
      "         it has 9 reallocated sectors",
      "         \\u001b[2J\\nset backup: ready\\u202e",
      "ok       set b, for 0 s",
      "and 3 more"
    ])
  })
})
