import { describe, it } from "@effect/vitest"
import { NodeName, StorageId, TokenId, Vmid } from "@felhom/domain/ProxmoxId"
import { type ProxmoxApi, ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import type { ContainerOrder } from "@felhom/reconciler/make/MakeOrder"
import { emptyTrouble, standingTrouble } from "@felhom/reconciler/make/Standing"
import { Effect, Layer } from "effect"
import { expect } from "vitest"
import { stepFor } from "./MakeHost.ts"

const config = {
  digest: "d",
  hostname: "web",
  memory: 128,
  protection: 0,
  tags: "a;b",
  unprivileged: 1,
  features: "keyctl=1,nesting=1",
  net0: "name=eth0,bridge=vmbr0,hwaddr=BC:24:11:00:00:02,ip=dhcp,type=veth",
  rootfs: "ctstore:111/vm-111-disk-0.raw,size=8G"
}

const { action } = stepFor("golden", { name: "web", memory: 128, protection: true, tags: ["b", "a"] })

const order: ContainerOrder = {
  type: "lxc",
  action,
  restore: true,
  byNumber: false,
  cards: { net0: "name=eth0,bridge=vmbr0,ip=dhcp,type=veth" },
  strangers: new Set(["BC:24:11:00:00:01"]),
  shape: {},
  bytes: 8 * 2 ** 30,
  available: null,
  features: ["keyctl", "nesting"],
  protect: true
}

describe("what stands", () => {
  it("is what was asked for, though its protection is still to come", () => {
    expect(standingTrouble(config, order)).toBeUndefined()
    expect(standingTrouble(config, undefined)).toBeUndefined()
  })

  const cases: ReadonlyArray<readonly [changed: { readonly [key: string]: unknown }, why: string]> = [
    [{ unprivileged: 0 }, "it is not unprivileged"],
    [{ unprivileged: undefined }, "it is not unprivileged"],
    [{ hookscript: "local:snippets/x" }, "it has hookscript, which reaches beyond it"],
    [{ dev0: "/dev/null" }, "it has dev0, which reaches beyond it"],
    [{ lxc: [["lxc.a", "b"]] }, "it has lxc, which reaches beyond it"],
    [{ mp0: "/srv,mp=/srv" }, "it has mp0, which reaches beyond it"],
    [{ template: 1 }, "it is a template"],
    [{ rootfs: undefined }, "it has no root volume"],
    [{ hostname: "other" }, "hostname is not as it was asked for"],
    [{ memory: 512 }, "memory is not as it was asked for"],
    [{ tags: "a" }, "tags is not as it was asked for"],
    [
      { net0: "name=eth0,bridge=vmbr1,hwaddr=BC:24:11:00:00:02,ip=dhcp" },
      "its card net0 is not as it was asked for (bridge)"
    ],
    [{ net0: undefined }, "its card net0 is not as it was asked for (name)"],
    [
      { net0: "name=eth0,bridge=vmbr0,hwaddr=bc:24:11:00:00:01,ip=dhcp" },
      "its card net0 has the address of the guest that its image is of"
    ],
    [{ net0: "name=eth0,bridge=vmbr0,ip=dhcp" }, "its card net0 has the address of the guest that its image is of"],
    [{ net1: "name=eth1,bridge=vmbr0" }, "it has a card net1 that nobody asked for"],
    [{ rootfs: "local:111/vm-111-disk-0.raw,size=8G" }, "its root volume is not on ctstore"],
    [{ rootfs: "ctstore:111/vm-111-disk-0.raw,size=4G" }, "its root volume is smaller than asked for"],
    [{ rootfs: "ctstore:111/vm-111-disk-0.raw" }, "its root volume is smaller than asked for"],
    [{ features: "nesting=1" }, "the feature keyctl of its image is missing"],
    [{ features: undefined }, "the feature keyctl of its image is missing"]
  ]
  for (const [changed, why] of cases) {
    it(`is not: ${JSON.stringify(changed)}`, () => {
      const there = Object.fromEntries(
        Object.entries({ ...config, ...changed }).filter(([, value]) => value !== undefined)
      )
      expect(standingTrouble(there, order)).toBe(why)
    })
  }
})

const ref = { type: "lxc", vmid: Vmid.make(111) } as const

const storage = {
  storage: StorageId.make("ctstore"),
  type: "dir",
  content: ["rootdir"],
  shared: false,
  enabled: true,
  active: true,
  total: 2 ** 40,
  used: 0,
  avail: 2 ** 40
}

const row = {
  volid: "ctstore:111/vm-111-disk-0.raw",
  content: "rootdir",
  format: "raw",
  size: 2 ** 30,
  ctime: 0,
  vmid: 111,
  subtype: null,
  notes: null,
  protected: false,
  encrypted: null,
  verification: null
}

const answering = (
  storages: ReadonlyArray<Partial<typeof storage>>,
  rows: ReadonlyArray<Partial<typeof row>>
): Layer.Layer<ProxmoxClient> =>
  Layer.mock(
    ProxmoxClient,
    {
      node: NodeName.make("pve"),
      tokenId: TokenId.make("felhom-agent@pve!agent"),
      storages: Effect.succeed({ rows: storages.map((one) => ({ ...storage, ...one })), unreadable: [] }),
      storageContent: () => Effect.succeed({ rows: rows.map((one) => ({ ...row, ...one })), unreadable: [] })
    } satisfies Partial<ProxmoxApi>
  )

describe("what its task says it wrote", () => {
  const troubleOn = (layer: Layer.Layer<ProxmoxClient>) => emptyTrouble(ref, config).pipe(Effect.provide(layer))

  it.effect("is there, where its storage has room and shows it, or shows nothing to this token", () =>
    Effect.gen(function*() {
      expect(yield* troubleOn(answering([{}], [{}]))).toBeUndefined()
      expect(yield* troubleOn(answering([{}], []))).toBeUndefined()
      // A thin pool that is full has refused the write itself.
      expect(yield* troubleOn(answering([{ type: "lvmthin", avail: 0 }], [{}]))).toBeUndefined()
    }))

  it.effect("may be lost on a directory that is full, or of which nobody knows", () =>
    Effect.gen(function*() {
      expect(yield* troubleOn(answering([{ avail: 2 ** 20 }], [{}]))).toContain("ctstore is full")
      expect(yield* troubleOn(answering([{ type: "nfs", avail: 0 }], [{}]))).toContain("ctstore is full")
    }))

  it.effect("is not there, where its storage has gone or its volume is empty", () =>
    Effect.gen(function*() {
      expect(yield* troubleOn(answering([], []))).toBe("its storage is not there any more")
      expect(yield* troubleOn(answering([{}], [{ size: 0 }]))).toBe("its root volume is empty")
    }))
})
