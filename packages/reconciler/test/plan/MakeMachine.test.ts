import { describe, expect, it } from "@effect/vitest"
import { NodeName, Volid } from "@felhom/domain/ProxmoxId"
import { imageKind } from "@felhom/reconciler/plan/ImageKind"
import { planMaking } from "@felhom/reconciler/plan/MakeGuest"
import { keyNumber, policyOf, wishOf } from "./ModelHost.ts"

const policy = policyOf({
  bridges: ["vmbr0"],
  storages: ["local-zfs"],
  images: {
    vm: "local:backup/vzdump-qemu-900-2026_01_01-00_00_00.vma.zst",
    kept: "pbs:backup/vm/900/2026-01-01T00:00:00Z",
    own: "local:backup/golden.vma.zst",
    ct: "local:backup/vzdump-lxc-900-2026_01_01-00_00_00.tar.zst",
    stock: "pbs:backup/ct/900/2026-01-01T00:00:00Z",
    template: "local:vztmpl/debian-13.tar.zst"
  }
})

const planned = (image: string, more: object = {}, type: "lxc" | "qemu" = "qemu") =>
  planMaking(
    wishOf({
      guest: { type, identity: { hwaddrs: [], volumes: [], smbiosUuid: null, key: keyNumber(1) } },
      make: { image, storage: "local-zfs" },
      ...more
    }),
    policy,
    {
      node: NodeName.make("pve"),
      correction: policy.correction,
      sharedNames: new Set(["twin"]),
      images: new Map(Object.values(policy.images).map((volid) => [volid, 1000]))
    }
  ).steps

describe("a virtual machine that is wished for and not there", () => {
  it("is made from its archive, with the archive's disks and models, and started", () => {
    const steps = planned("vm", {
      power: "running",
      name: "shop",
      memory: 2048,
      volumes: { scsi0: 40 },
      nets: { net0: { bridge: "vmbr0", tag: 20 } }
    })
    expect(steps).toMatchObject([
      {
        class: "benign",
        guest: { type: "qemu", ref: null },
        action: {
          kind: "guest.make",
          root: null,
          size: 1000,
          settings: [["name", "shop"], ["memory", "2048"]],
          cards: { net0: "bridge=vmbr0,tag=20" }
        }
      },
      { class: "benign", action: { kind: "guest.start" } }
    ])
  })

  it("is made from a backup server's archive, and from one under a name of its own", () => {
    for (const image of ["kept", "own"]) expect(planned(image)).toMatchObject([{ class: "benign" }])
  })

  const cases: ReadonlyArray<readonly [what: string, image: string, more: object, why: string]> = [
    [
      "a container's archive",
      "ct",
      {},
      "the image ct is an archive of a container, and a virtual machine is wished for"
    ],
    [
      "a container's on a backup server",
      "stock",
      {},
      "is an archive of a container, and a virtual machine is wished for"
    ],
    ["a template", "template", {}, "is a template of containers, and a virtual machine is wished for"],
    ["swap", "vm", { swap: 1 }, "swap: a virtual machine has none from its host"],
    [
      "a place in the startup order",
      "vm",
      { startup: { order: 1 } },
      "startup: of a virtual machine it takes Sys.Modify"
    ],
    ["name servers", "vm", { nameserver: ["1.1.1.1"] }, "a virtual machine's is cloud-init's"],
    ["a root volume", "vm", { volumes: { rootfs: 8 } }, "a virtual machine has no rootfs"],
    ["an address", "vm", { nets: { net0: { bridge: "vmbr0", ip: "dhcp" } } }, "sets ip inside itself"],
    ["a card on no bridge", "vm", { nets: { net0: { tag: 1 } } }, "its card net0 names no bridge"],
    ["a name that another has", "vm", { name: "twin" }, "more than one guest of this host would be called twin"]
  ]
  for (const [what, image, more, why] of cases) {
    it(`is not made with ${what}`, () => {
      const [step] = planned(image, more)
      expect(step).toMatchObject({ class: "not-possible" })
      expect(step?.reason).toContain(why)
    })
  }

  it("nor is a container from a machine's archive", () => {
    const [step] = planned("vm", {}, "lxc")
    expect(step?.reason).toBe("the image vm is an archive of a virtual machine, and a container is wished for")
    expect(planned("template", {}, "lxc")).toMatchObject([{ class: "benign", action: { root: 4 } }])
  })
})

it("an image's name tells what it is, or nothing", () => {
  expect(imageKind(Volid.make("local:backup/vzdump-openvz-1-x.tgz"))).toBe("lxc")
  expect(imageKind(Volid.make("local:backup/vm-golden.vma"))).toBeNull()
  expect(imageKind(Volid.make("local:iso/vzdump-qemu-1-x.iso"))).toBeNull()
})
