import { describe, it } from "@effect/vitest"
import { MountRequest } from "@felhom/privileged/Mount"
import { pctCreateArgv, PctCreateRequest } from "@felhom/privileged/PctCreate"
import { smartArgv, smartctlCouldNotRead, SmartRequest } from "@felhom/privileged/Smart"
import { Either, Schema } from "effect"
import * as fc from "effect/FastCheck"
import { expect } from "vitest"

const golden = {
  vmid: 9000,
  template: "local:vztmpl/debian-13-standard_13.1-1_amd64.tar.zst",
  storage: "local-lvm",
  rootGiB: 8,
  hostname: "golden",
  cores: 2,
  memoryMiB: 1024,
  bridge: "vmbr0"
}

const accepts = <A, I>(schema: Schema.Schema<A, I>, request: unknown): boolean =>
  Either.isRight(Schema.decodeUnknownEither(schema, { onExcessProperty: "error" })(request))

describe("the root side's command lines", () => {
  it("create an unprivileged container with keyctl, and nothing else", () => {
    expect(pctCreateArgv(Schema.decodeUnknownSync(PctCreateRequest)(golden)).join(" ")).toBe(
      "/usr/sbin/pct create 9000 local:vztmpl/debian-13-standard_13.1-1_amd64.tar.zst --rootfs local-lvm:8 --hostname golden " +
        "--cores 2 --memory 1024 --net0 name=eth0,bridge=vmbr0,ip=dhcp --unprivileged 1 --features keyctl=1,nesting=1 " +
        "--onboot 0 --start 0"
    )
  })

  it("refuse what would turn into an option, another property or a path", () => {
    const hostile: ReadonlyArray<Partial<Record<keyof typeof golden | "features", unknown>>> = [
      { template: "--features" },
      { template: "local:vztmpl/../../etc/passwd" },
      { template: "local:backup/vzdump-lxc-101-2026_08_21-02_00_00.tar.zst" },
      { storage: "local:8,acl=1" },
      { storage: "-x" },
      { hostname: "a --unprivileged 0" },
      { hostname: "-a" },
      { bridge: "vmbr0,hwaddr=00:00:00:00:00:00" },
      { vmid: 99 },
      { vmid: "9000" },
      { rootGiB: 1e9 },
      { features: "mknod=1" }
    ]
    for (const change of hostile) {
      expect(accepts(PctCreateRequest, { ...golden, ...change }), JSON.stringify(change)).toBe(false)
    }
  })

  it("name a disk to mount by UUID only, and where by one word only", () => {
    for (
      const hostile of [
        { action: "mount", uuid: "../sda1", name: "x" },
        { action: "mount", uuid: "1741368e-c387-42cc-8971-e25211e7e768", name: "../../etc" },
        { action: "mount", uuid: "1741368e-c387-42cc-8971-e25211e7e768", name: "x", options: "exec" },
        { action: "eject", name: "-x" },
        { action: "format", name: "x" }
      ]
    ) expect(accepts(MountRequest, hostile), JSON.stringify(hostile)).toBe(false)
  })

  it("read SMART of whole disks only", () => {
    expect(smartArgv(Schema.decodeUnknownSync(SmartRequest)({ action: "smart", device: "/dev/nvme0n1" }))).toEqual([
      "/usr/sbin/smartctl",
      "--json=c",
      "--nocheck=standby,3",
      "--all",
      "/dev/nvme0n1"
    ])
    for (const device of ["/dev/sda1", "/dev/../etc/shadow", "-x", "/dev/sda --set=x", "/dev/sda\n"]) {
      expect(accepts(SmartRequest, { action: "smart", device }), device).toBe(false)
    }
  })

  it("take smartctl's warnings about a disk for an answer, and only its failure to read for none", () => {
    expect([0, 4, 8, 64, 128].map(smartctlCouldNotRead)).toEqual([false, false, false, false, false])
    expect([1, 2, 3, 66].map(smartctlCouldNotRead)).toEqual([true, true, true, true])
  })

  it("never carry white space, an option from a value, or a second comma-separated property, whatever is asked", () => {
    const wild = fc.record({
      vmid: fc.oneof(fc.constant(9000), fc.integer()),
      template: fc.oneof(fc.constant(golden.template), fc.string()),
      storage: fc.oneof(fc.constant("local"), fc.string()),
      rootGiB: fc.constant(8),
      hostname: fc.oneof(fc.constant("golden"), fc.string()),
      cores: fc.constant(1),
      memoryMiB: fc.constant(512),
      bridge: fc.oneof(fc.constant("vmbr0"), fc.string())
    })
    let accepted = 0
    fc.assert(
      fc.property(wild, (request) => {
        const decoded = Schema.decodeUnknownEither(PctCreateRequest)(request)
        if (Either.isLeft(decoded)) return
        accepted++
        const argv = pctCreateArgv(decoded.right)
        expect(argv.every((word) => !/\s/.test(word))).toBe(true)
        expect(argv[13]).toMatch(/^name=eth0,bridge=[^,=]+,ip=dhcp$/)
        expect([argv[2], argv[3], argv[5], argv[7]].some((word) => word?.startsWith("-"))).toBe(false)
      }),
      { numRuns: 2000, seed: 1 }
    )
    expect(accepted).toBeGreaterThan(50)
  })
})
