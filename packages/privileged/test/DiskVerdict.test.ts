import { describe, it } from "@effect/vitest"
import { parseLsblk } from "@felhom/privileged/BlockDevice"
import { type DiskRefusal, listed, placed, verdictOf } from "@felhom/privileged/DiskVerdict"
import { lineLimitBytes } from "@felhom/privileged/RootExchange"
import { Effect } from "effect"
import { expect } from "vitest"
import { device, diskOf } from "./ModelHost.ts"

const parsed = (...devices: ReadonlyArray<object>) =>
  Effect.runSync(parseLsblk(JSON.stringify({ blockdevices: devices })))

/** The verdict about `/dev/sdb1` on a host with these disks. */
const judged = (...devices: ReadonlyArray<object>) => {
  const all = placed(parsed(...devices))
  const one = all.find((other) => other.device.path === "/dev/sdb1")
  return one === undefined ? undefined : verdictOf(one, all)
}

const part2 = (given: object) => device({ path: "/dev/sdb2", uuid: null, ...given })
const crypt = device({ path: "/dev/mapper/c", type: "crypt" })

const refused: ReadonlyArray<
  readonly [what: string, reason: DiskRefusal, words: string, disks: ReadonlyArray<object>]
> = [
  ["is the system's", "system", "/ is on it", [diskOf(device(), part2({ mountpoints: ["/"] }))]],
  ["has the host's boot loader", "system", "/boot/efi", [diskOf(device(), part2({ mountpoints: ["/boot/efi"] }))]],
  ["has the host's data", "system", "/var/lib/vz", [diskOf(device({ mountpoints: ["/var/lib/vz"] }))]],
  ["has swap that is in use", "system", "[SWAP]", [
    diskOf(device(), part2({ fstype: "swap", mountpoints: ["[SWAP]"] }))
  ]],
  ["is mounted elsewhere", "mounted-elsewhere", "/mnt/pve/usb", [diskOf(device({ mountpoints: ["/mnt/pve/usb"] }))]],
  [
    "has a neighbour that is mounted elsewhere",
    "mounted-elsewhere",
    "/media/x",
    [diskOf(device(), part2({ mountpoints: [null, "/media/x"] }))]
  ],
  ["is part of a ZFS pool", "member", "a ZFS pool", [diskOf(device({ fstype: "zfs_member" }))]],
  ["shares its disk with a ZFS pool", "member", "/dev/sdb2", [diskOf(device(), part2({ fstype: "zfs_member" }))]],
  [
    "shares its disk with what its table says is a ZFS pool",
    "member",
    "a ZFS pool",
    [diskOf(device(), part2({ fstype: null, parttype: "6A898CC3-1DD2-11B2-99A6-080020736631" }))]
  ],
  ["is part of LVM", "member", "an LVM volume group", [diskOf(device({ fstype: "LVM2_member" }))]],
  ["is part of LVM by an MBR", "member", "an LVM volume group", [diskOf(device({ parttype: "0x8e" }))]],
  ["is part of an md RAID", "member", "an md RAID", [diskOf(device({ fstype: "linux_raid_member" }))]],
  ["is a Ceph OSD", "member", "a Ceph OSD", [diskOf(device({ fstype: "ceph_bluestore" }))]],
  [
    "is a Ceph OSD's journal",
    "member",
    "a Ceph OSD",
    [diskOf(device({ parttype: "4fbd7e29-8ae0-4982-bf9d-5a8d867af560" }))]
  ],
  ["is encrypted", "member", "LUKS", [diskOf(device({ fstype: "crypto_LUKS" }))]],
  ["is part of a set that is not known here", "member", "isw_raid_member", [
    diskOf(device({ fstype: "isw_raid_member" }))
  ]],
  ["has an opened encrypted volume on it", "member", "/dev/mapper/c", [diskOf(device({ children: [crypt] }))]],
  ["is no disk", "not-a-disk", "(rom)", [device({ type: "rom" })]],
  ["has partitions of its own", "has-partitions", "name one", [diskOf(device({ children: [part2({})] }))]],
  ["is mounted here already", "already", "/mnt/felhom/old", [diskOf(device({ mountpoints: ["/mnt/felhom/old"] }))]],
  ["is swap", "swap", "swap space", [diskOf(device({ fstype: "swap" }))]],
  ["has no file system", "no-file-system", "no file system", [diskOf(device({ fstype: null }))]],
  ["has an empty word for a file system", "no-file-system", "no file system", [diskOf(device({ fstype: "" }))]],
  ["has an odd file system", "unknown-file-system", "hfsplus", [diskOf(device({ fstype: "hfsplus" }))]],
  ["has a file system named like a property", "unknown-file-system", "", [diskOf(device({ fstype: "constructor" }))]],
  ["has no UUID", "no-uuid", "no UUID", [diskOf(device({ uuid: null }))]],
  ["has a UUID that is a path", "no-uuid", "no UUID", [diskOf(device({ uuid: "../../etc" }))]],
  ["is write-protected", "read-only", "write-protected", [diskOf(device({ ro: true }))]],
  [
    "was copied onto another",
    "two-of-one-uuid",
    "/dev/sdb1 and /dev/sdc1",
    [diskOf(device()), device({ path: "/dev/sdc1" })]
  ]
]

describe("the judgement of a disk", () => {
  it("lets a healthy one be mounted, by its UUID and with the file system that it has", () => {
    const uuid = "1741368e-c387-42cc-8971-e25211e7e768"
    expect(judged(diskOf(device()))).toEqual({ mountable: true, uuid, type: "ext4" })
    expect(judged(diskOf(device({ fstype: "ntfs", uuid: "5E8C1B5F8C1B3161" })))).toMatchObject({ type: "ntfs3" })
    expect(judged(diskOf(device(), part2({ mountpoints: ["/mnt/felhom/other"] })))).toMatchObject({ mountable: true })
  })

  for (const [what, reason, words, disks] of refused) {
    it(`refuses one that ${what}, in a sentence`, () => {
      const verdict = judged(...disks)
      expect(verdict).toMatchObject({ mountable: false, reason })
      expect(verdict).toMatchObject({ why: expect.stringContaining(words) })
      expect(verdict).toMatchObject({ why: expect.stringMatching(/^\/dev\/sdb1 /) })
    })
  }

  it("takes a device that is made of two for two of the same, and not for a copy", () => {
    const both = device({ path: "/dev/md0", type: "raid1" })
    const all = placed(parsed(
      diskOf(device({ fstype: "linux_raid_member", children: [both] })),
      diskOf(device({ path: "/dev/sdc1", fstype: "linux_raid_member", children: [both] }))
    ))
    const one = all.find((other) => other.device.path === "/dev/md0")
    expect(one && verdictOf(one, all)).toMatchObject({ reason: "not-a-disk" })
  })
})

describe("the list of disks", () => {
  it("shows those first that can be mounted, and of the others why not, without what a label could do to a terminal", () => {
    const { devices, omitted } = listed(parsed(
      diskOf(device({ path: "/dev/sda1", fstype: null, uuid: null })),
      diskOf(device({ label: "a\n../../etc/passwd\u001b[31m\u202e", mountpoints: [null] }))
    ))
    expect(devices.map(({ path, refusal }) => [path, refusal === null])).toEqual([
      ["/dev/sdb1", true],
      ["/dev/sdb", false],
      ["/dev/sda1", false],
      ["/dev/sdb", false]
    ])
    expect(devices[0]?.label).toBe("a\\n../../etc/passwd\\u001b[31m\\u202e")
    expect(omitted).toBe(0)
  })

  it("has of those that don't fit the ones that we mounted, and each partition's serial number from its disk", () => {
    const others = Array.from({ length: 300 }, (_, index) => device({ path: `/dev/sd${index}`, uuid: null }))
    const ours = {
      ...diskOf(device({ path: "/dev/sdq1", serial: null, mountpoints: ["/mnt/felhom/backup"] })),
      serial: "WD-1"
    }
    const { devices } = listed(parsed(...others, ours))
    expect(devices[0]).toMatchObject({ path: "/dev/sdq1", mountpoint: "/mnt/felhom/backup", serial: "WD-1" })
  })

  it("of a host with more than an answer holds says how many it left out", () => {
    const many = Array.from(
      { length: 500 },
      (_, index) => device({ path: `/dev/sd${index}`, uuid: null, label: "é".repeat(90), fstype: "ext4" })
    )
    const { devices, omitted } = listed(parsed(...many, device({ path: "/dev/sdb1" })))
    expect(devices[0]).toMatchObject({ path: "/dev/sdb1", refusal: null })
    expect(devices.length + omitted).toBe(501)
    expect(new TextEncoder().encode(JSON.stringify(devices)).length).toBeLessThan(lineLimitBytes - 200)
  })
})
