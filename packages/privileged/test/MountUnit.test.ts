import { describe, it } from "@effect/vitest"
import { FilesystemUuid, MountName } from "@felhom/privileged/Mount"
import { parseMountInfo } from "@felhom/privileged/MountInfo"
import { escapePath, parseUnit, unescapePath, unitNameOf, unitText } from "@felhom/privileged/MountUnit"
import { Schema } from "effect"
import { expect } from "vitest"

const uuid = Schema.decodeSync(FilesystemUuid)("1741368e-c387-42cc-8971-e25211e7e768")
const name = Schema.decodeSync(MountName)("backup-1")

describe("a mount unit", () => {
  it("is named for where it mounts, as systemd-escape would", () => {
    expect(unitNameOf(name)).toBe("mnt-felhom-backup\\x2d1.mount")
    // What `systemd-escape --path` of systemd 252 says.
    for (
      const [path, escaped] of [
        ["/", "-"],
        ["/dev/disk/by-uuid/AB-1", "dev-disk-by\\x2duuid-AB\\x2d1"],
        ["//a///b/", "a-b"],
        ["/.hidden/.x", "\\x2ehidden-.x"],
        ["/a b\\c%d", "a\\x20b\\x5cc\\x25d"],
        ["/ä", "\\xc3\\xa4"],
        ["/\ufeffa", "\\xef\\xbb\\xbfa"],
        ["/x:y_z.1", "x:y_z.1"]
      ] as const
    ) {
      expect(escapePath(path)).toBe(escaped)
      expect(unescapePath(escaped)).toBe(path === "//a///b/" ? "/a/b" : path)
    }
  })

  it("lets a disk bring no programs, devices or set-uid, and neither a target nor a start of the host wait for it", () => {
    expect(unitText({ uuid, name, type: "ext4" })).toBe(
      `# Written by felhom-agent's root helper, which takes it away again when the disk is ejected.
[Unit]
Description=Disk backup-1 of felhom-agent

[Mount]
What=/dev/disk/by-uuid/1741368e-c387-42cc-8971-e25211e7e768
Where=/mnt/felhom/backup-1
Type=ext4
Options=nosuid,nodev,noexec,nofail
TimeoutSec=100

[Install]
WantedBy=dev-disk-by\\x2duuid-1741368e\\x2dc387\\x2d42cc\\x2d8971\\x2de25211e7e768.device
`
    )
  })

  it("is known again, and no longer once somebody has changed a word of it", () => {
    const unit = { uuid, name, type: "ext4" }
    const text = unitText(unit)
    expect(parseUnit(text)).toEqual(unit)
    for (
      const changed of [
        text.replace("noexec,", ""),
        text.replace("ext4", "overlay"),
        text.replace(uuid, "../sda1"),
        text.replace("/mnt/felhom/", "/mnt/felhom/../"),
        `${text}ExecStart=/bin/sh\n`,
        text.trim(),
        ""
      ]
    ) expect(parseUnit(changed), changed).toBeUndefined()
  })
})

describe("what the kernel says is mounted", () => {
  it("is read with its escapes, and whatever is no line of it is passed over", () => {
    const text = [
      "36 35 98:0 /mnt1 /mnt/a\\040b\\134 rw,noatime master:1 - ext3 /dev/root\\011x rw,errors=continue",
      "37 35 98:0 / /plain ro - tmpfs none rw",
      "",
      "38 35",
      "garbage - x"
    ].join("\n")
    expect(parseMountInfo(text)).toEqual([
      { mountPoint: "/mnt/a b\\", source: "/dev/root\tx", fstype: "ext3", options: ["rw", "noatime"] },
      { mountPoint: "/plain", source: "none", fstype: "tmpfs", options: ["ro"] }
    ])
  })
})
