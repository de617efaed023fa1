import { describe, it } from "@effect/vitest"
import { Vmid } from "@felhom/domain/ProxmoxId"
import { machineTrouble } from "@felhom/reconciler/make/MachineStanding"
import type { MachineOrder } from "@felhom/reconciler/make/MakeOrder"
import { expect } from "vitest"
import { machineStep } from "./MakeHost.ts"

const ref = { type: "qemu", vmid: Vmid.make(111) } as const

const config = {
  digest: "d",
  name: "shop",
  memory: "2048",
  description: "two\nlines",
  tags: "a;b",
  net0: "virtio=BC:24:11:00:00:03,bridge=vmbr0,firewall=1",
  scsi0: "ctstore:111/vm-111-disk-0.raw,discard=on,size=8G",
  efidisk0: "ctstore:111/vm-111-disk-1.raw,efitype=4m,size=4M",
  ide2: "none,media=cdrom",
  ide0: "ctstore:111/vm-111-cloudinit.qcow2,media=cdrom",
  sata0: "local:iso/debian.iso,media=cdrom,size=600M",
  serial0: "socket",
  smbios1: "uuid=aaaaaaaa-c387-42cc-8971-e25211e7e768"
}

const { action } = machineStep({
  name: "shop",
  memory: 2048,
  protection: true,
  tags: ["b", "a"],
  description: "two\nlines \n"
})

const order: MachineOrder = {
  type: "qemu",
  action,
  cards: { net0: "virtio,bridge=vmbr0,firewall=1" },
  strangers: new Set(["BC:24:11:00:00:02"]),
  shape: {},
  bytes: 8 * 2 ** 30,
  disks: new Map([["scsi0", 8 * 2 ** 30], ["efidisk0", 528 * 1024]]),
  smbiosUuid: "1741368E-c387-42cc-8971-e25211e7e768",
  available: null,
  protect: true
}

describe("a virtual machine that stands", () => {
  it("is what was asked for, though its protection is still to come", () => {
    expect(machineTrouble(ref, config, order)).toBeUndefined()
    expect(machineTrouble(ref, config, undefined)).toBeUndefined()
    // An archive without an SMBIOS uuid has none that could be the same.
    expect(machineTrouble(ref, { ...config, smbios1: undefined }, { ...order, smbiosUuid: null })).toBeUndefined()
  })

  const cases: ReadonlyArray<readonly [changed: { readonly [key: string]: unknown }, why: string]> = [
    [{ hookscript: "local:snippets/x" }, "it has hookscript, which reaches beyond it"],
    [{ args: "-x" }, "it has args, which reaches beyond it"],
    [{ affinity: "0" }, "it has affinity, which reaches beyond it"],
    [{ cicustom: "user=local:snippets/x" }, "it has cicustom, which reaches beyond it"],
    [{ hostpci0: "0000:01:00.0" }, "it has hostpci0, which reaches beyond it"],
    [{ usb0: "host=1234:5678" }, "it has usb0, which reaches beyond it"],
    [{ serial0: "/dev/ttyS0" }, "it has serial0, which reaches beyond it"],
    [{ template: 1 }, "it is a template"],
    [{ unused0: "local:111/vm-111-disk-0.raw" }, "it has unused0, a volume that its number had from before"],
    [{ scsi0: undefined, efidisk0: undefined, ide0: undefined }, "it has no disk"],
    [
      { scsi0: "ctstore:101/vm-101-disk-0.raw,size=8G" },
      "its drive scsi0 is none of its own (ctstore:101/vm-101-disk-0.raw)"
    ],
    [{ scsi1: "/dev/sda" }, "its drive scsi1 is none of its own (/dev/sda)"],
    [{ ide2: "cdrom,media=cdrom" }, "its drive ide2 is none of its own (cdrom)"],
    [{ name: "other" }, "name is not as it was asked for"],
    [{ memory: "512" }, "memory is not as it was asked for"],
    [{ description: "one" }, "description is not as it was asked for"],
    [{ net0: "e1000=BC:24:11:00:00:03,bridge=vmbr0,firewall=1" }, "its card net0 is not as it was asked for (model)"],
    [{ net0: undefined }, "its card net0 is not as it was asked for (model)"],
    [{ net0: "virtio=BC:24:11:00:00:03,bridge=vmbr1,firewall=1" }, "its card net0 is not as it was asked for (bridge)"],
    [
      { net0: "virtio=bc:24:11:00:00:02,bridge=vmbr0,firewall=1" },
      "its card net0 has the address of the machine that its image is of"
    ],
    [{ net0: "virtio,bridge=vmbr0,firewall=1" }, "its card net0 has the address of the machine that its image is of"],
    [{ net1: "virtio=BC:24:11:00:00:04,bridge=vmbr0" }, "it has a card net1 that nobody asked for"],
    [{ efidisk0: undefined }, "its disk efidisk0 is missing"],
    [{ scsi0: "local:111/vm-111-disk-0.raw,size=8G" }, "its disk scsi0 is not on ctstore"],
    [{ scsi0: "ctstore:111/vm-111-disk-0.raw,size=4G" }, "its disk scsi0 is smaller than its image's"],
    [{ scsi0: "ctstore:111/vm-111-disk-0.raw" }, "its disk scsi0 is smaller than its image's"],
    [
      { smbios1: "uuid=1741368e-c387-42cc-8971-e25211e7e768" },
      "it has the SMBIOS uuid of the machine that its image is of"
    ]
  ]
  for (const [changed, why] of cases) {
    it(`is not: ${JSON.stringify(changed)}`, () => {
      const there = Object.fromEntries(
        Object.entries({ ...config, ...changed }).filter(([, value]) => value !== undefined)
      )
      expect(machineTrouble(ref, there, order)).toBe(why)
    })
  }
})
