import { describe, it } from "@effect/vitest"
import type { DesiredGuest } from "@felhom/domain/DesiredGuest"
import { plan } from "@felhom/reconciler/plan/Planner"
import { expect } from "vitest"
import {
  applied,
  guestOf,
  type GuestOptions,
  hostOf,
  isBenign,
  keyNumber,
  openPolicy,
  planOne,
  policyOf,
  stateOf,
  told,
  type Wish,
  wishFor,
  wishNew
} from "./ModelHost.ts"

/** Of a guest that is there. */
const impossible: ReadonlyArray<readonly [what: string, guest: GuestOptions, wish: Wish, why: string]> = [
  ["memory below what a running guest uses", { memoryUsed: 400 * 1024 ** 2, config: { memory: 1024 } }, {
    memory: 256
  }, "it uses 400 MiB, and 256 MiB would leave it too little"],
  ["memory that leaves a running guest no margin", { memoryUsed: 400 * 1024 ** 2, config: { memory: 1024 } }, {
    memory: 450
  }, "would leave it too little"],
  ["less memory for a guest whose use is not known", { memoryUsed: null, config: { memory: 1024 } }, {
    memory: 512
  }, "it is not known how much memory the guest uses"],
  ["less swap for a running guest", {}, { swap: 0 }, "it is not known how much swap the guest uses"],
  ["swap of a virtual machine", { type: "qemu" }, { swap: 512 }, "a virtual machine has none from its host"],
  ["startup of a virtual machine", { type: "qemu" }, { startup: { order: 1 } }, "it takes Sys.Modify"],
  ["name servers of a virtual machine", { type: "qemu" }, { nameserver: ["1.1.1.1"] }, "cloud-init"],
  ["addresses of a virtual machine's card", { type: "qemu" }, { nets: { net0: { ip: "dhcp" } } }, "sets ip inside"],
  ["a card that is not there", {}, { nets: { net1: { bridge: "vmbr0" } } }, "would change who the guest is"],
  ["a card without an address", { config: { net0: "name=eth0,bridge=vmbr0" } }, {
    nets: { net0: { bridge: "vmbr1" } }
  }, "would give it another"],
  ["a smaller volume", {}, { volumes: { rootfs: 4 } }, "it can only grow"],
  ["a volume that is not there", {}, { volumes: { mp0: 4 } }, "it has no such volume"],
  [
    "another type's volume",
    { config: { scsi0: "local-zfs:vm-101-disk-9,size=1G" } },
    { volumes: { scsi0: 4 } },
    "no such"
  ],
  ["a bind mount", { config: { mp0: "/srv,mp=/srv,size=1G" } }, { volumes: { mp0: 4 } }, "no volume on a storage"],
  [
    "a cdrom",
    { type: "qemu", config: { ide2: "local:iso/x.iso,media=cdrom,size=1G" } },
    { volumes: { ide2: 4 } },
    "no volume"
  ],
  [
    "a volume without a size",
    { config: { rootfs: "local:subvol-101-disk-0" } },
    { volumes: { rootfs: 4 } },
    "how large"
  ],
  ["a template's volume", { template: true, status: "stopped" }, { volumes: { rootfs: 16 } }, "belongs to a template"],
  [
    "the start of a template",
    { template: true, status: "stopped" },
    { power: "running" },
    "no template is ever started"
  ],
  ["the start of a guest that the HA manager has", { ha: "stopped", status: "stopped" }, {
    power: "running"
  }, "ha-manager set ct:101 --state started"],
  ["the shutdown of a guest that the HA manager has", { ha: "started", type: "qemu" }, {
    power: "stopped"
  }, "ha-manager set vm:101 --state stopped"],
  ["power while nobody knows whether it runs", { status: "unknown" }, { power: "running" }, "does not say yet"],
  ["anything of a guest that is half-restored", { lock: "create" }, { cores: 4, power: "stopped" }, "by half"],
  ["anything of a guest that is being destroyed", { lock: "destroyed" }, { cores: 4 }, "is being destroyed"]
]

describe("a plan says what this host can't do, and why", () => {
  for (const [what, guest, wish, why] of impossible) {
    it(what, () => {
      const { steps } = planOne(guestOf({ vmid: 101, ...guest }), wish)
      expect(steps).toHaveLength(1)
      expect(steps[0]?.class).toBe("not-possible")
      expect(steps[0]?.reason).toContain(why)
    })
  }

  it("and does the rest", () => {
    const { steps } = planOne(guestOf(), { volumes: { rootfs: 4 }, cores: 2, nets: { net1: { bridge: "vmbr0" } } })
    expect(steps.map((step) => step.class)).toEqual(["benign", "not-possible", "not-possible"])
  })
})

const reasons = (host: ReturnType<typeof hostOf>, ...wishes: ReadonlyArray<DesiredGuest>) =>
  plan(stateOf(...wishes), host, openPolicy).steps.map((step) => isBenign(step) ? step.id : step.reason)

describe("a wish means nobody", () => {
  it("when a virtual machine stands where a container is wished for", () => {
    const machine = guestOf({ type: "qemu", vmid: 200 })
    const asked = wishFor({ ref: { ...machine.ref, type: "lxc" }, identity: machine.identity }, { cores: 2 })
    expect(reasons(hostOf([machine]), asked)).toEqual([
      expect.stringContaining("VM 200 is what has its network addresses or volumes, and a CT is wished for")
    ])
  })

  it("when its number was given to another guest", () => {
    const before = guestOf()
    const now = guestOf({ config: { net0: "name=eth0,hwaddr=02:00:00:00:00:01", rootfs: "b:subvol-101-disk-1" } })
    expect(reasons(hostOf([now]), wishFor(before, { cores: 2 }))).toEqual([
      expect.stringContaining("no guest of this host is it")
    ])
  })

  it("when it was restored by half, and lacks a volume", () => {
    const before = guestOf({ config: { mp0: "local-zfs:subvol-101-disk-1,mp=/srv,size=1G" } })
    expect(reasons(hostOf([guestOf()]), wishFor(before, { cores: 2 }))).toEqual([
      expect.stringContaining("CT 101 has some of its network addresses or volumes and not all")
    ])
  })

  it("when another node of the cluster has it now", () => {
    const gone = guestOf()
    const host = hostOf([], { elsewhere: [{ ref: gone.ref, node: "pve2" }] })
    expect(reasons(host, wishFor(gone, { cores: 2 }))).toEqual([
      expect.stringContaining("on the node pve2 now: wish for it there")
    ])
  })

  it("when it could be one that could not be read", () => {
    const gone = guestOf()
    const host = hostOf([], { unread: [{ ref: gone.ref, name: "ct-101", why: "no answer" }] })
    expect(reasons(host, wishFor(gone, { cores: 2 }))).toEqual([expect.stringContaining("CT 101 could not")])
  })

  it("when two guests can't be told apart", () => {
    const config = { net0: undefined, rootfs: "/srv/shared" }
    const twins = [guestOf({ vmid: 101, config }), guestOf({ vmid: 102, config })] as const
    const machine = { net0: undefined, scsi0: undefined, smbios1: "uuid=1" }
    const machines = [200, 201].map((vmid) => guestOf({ type: "qemu", vmid, config: machine }))
    expect(reasons(hostOf(machines), wishFor(guestOf({ type: "qemu", vmid: 200, config: machine }), { cores: 2 })))
      .toEqual([expect.stringContaining("VM 200 and VM 201 can't be told apart")])
    expect(reasons(hostOf(twins), wishFor(twins[0], { cores: 2 }))).toEqual([
      expect.stringContaining("it names no guest")
    ])
  })

  it("when two wishes mean one guest", () => {
    const guest = guestOf()
    const asKey = {
      ref: guest.ref,
      identity: { ...guest.identity, hwaddrs: guest.identity.hwaddrs.map((one) => one.toLowerCase()) }
    }
    expect(reasons(hostOf([guest]), wishFor(guest, { cores: 2 }), wishFor(asKey, { cores: 4 }))).toEqual([
      expect.stringContaining("it is CT 101, which another entry wishes for, too"),
      expect.stringContaining("it is CT 101, which another entry wishes for, too")
    ])
  })

  it("when it is in the range that is kept for drills", () => {
    const policy = policyOf({ scratch: { from: 9000, to: 9999 } })
    for (const vmid of [9000, 9999]) {
      const guest = guestOf({ vmid })
      const { steps } = plan(stateOf(wishFor(guest, { cores: 2 })), hostOf([guest]), policy)
      expect(steps.map(({ reason }) => reason)).toEqual([expect.stringContaining("kept for drills and restores")])
    }
  })
})

describe("two guests never get one name", () => {
  it("when both are wished to have it, or one has it already", () => {
    const [one, two] = [guestOf({ vmid: 101 }), guestOf({ vmid: 102 })]
    expect(reasons(hostOf([one, two]), wishFor(one, { name: "web" }), wishFor(two, { name: "WEB" }))).toEqual([
      "more than one guest of this host would be called web; wish for another name for one of them",
      "more than one guest of this host would be called WEB; wish for another name for one of them"
    ])
    expect(reasons(hostOf([one, two]), wishFor(one, { name: "ct-102" }))).toEqual([
      "more than one guest of this host would be called ct-102; wish for another name for one of them"
    ])
    const unread = [{ ref: two.ref, name: "db", why: "no answer" }]
    expect(reasons(hostOf([one], { unread }), wishFor(one, { name: "db" }))).toHaveLength(1)
  })

  it("but may swap theirs", () => {
    const [one, two] = [guestOf({ vmid: 101 }), guestOf({ vmid: 102 })]
    expect(reasons(hostOf([one, two]), wishFor(one, { name: "ct-102" }), wishFor(two, { name: "ct-101" }))).toEqual([
      "lxc/101 config.set hostname",
      "lxc/102 config.set hostname"
    ])
  })
})

describe("a guest that is to be made", () => {
  const key = keyNumber(1)

  it("is made from the policy's image with all that is wished for it, then started, and is no difference any more", () => {
    const wish = wishNew(key, {
      name: "web",
      power: "running",
      cores: 2,
      memory: 1024,
      description: "",
      tags: ["b", "a"],
      startup: { order: 2, up: 5 },
      nets: { net0: { bridge: "vmbr0", ip: "dhcp" } },
      volumes: { rootfs: 16 }
    })
    const host = hostOf([guestOf()])
    const first = plan(stateOf(wish), host, openPolicy)
    expect(told(first)).toEqual(["guest.make", "guest.start"])
    expect(first.steps[0]).toMatchObject({
      action: {
        key,
        storage: "local-zfs",
        root: 16,
        settings: [
          ["hostname", "web"],
          ["tags", "a;b"],
          ["startup", "order=2,up=5"],
          ["cores", "2"],
          ["memory", "1024"]
        ],
        cards: { net0: "name=eth0,bridge=vmbr0,ip=dhcp" }
      },
      precondition: { absent: key }
    })
    expect(plan(stateOf(wish), applied(host, first.steps), openPolicy)).toEqual({ steps: [], notes: [] })
  })

  it("is not, where its image is missing on the host or in the policy, or nobody can look", () => {
    expect(reasons(hostOf([], { images: [] }), wishNew(key))).toEqual([
      expect.stringContaining("the image debian-13 is not on this host")
    ])
    const other = wishNew(key, { make: { image: "constructor", storage: "local-zfs" } })
    expect(reasons(hostOf([]), other)).toEqual([expect.stringContaining("knows no image constructor")])
    const unread = [{ ref: guestOf().ref, name: null, why: "no answer" }]
    expect(reasons(hostOf([], { unread }), wishNew(key))).toEqual([expect.stringContaining("could not")])
  })

  it("is not twice, and not with what only an old guest can have", () => {
    const asked = wishNew(key, { name: "web" })
    const again = { ...asked, guest: { ...asked.guest, identity: { ...asked.guest.identity, hwaddrs: ["x"] } } }
    expect(reasons(hostOf([]), asked, again)).toHaveLength(2)
    expect(reasons(hostOf([]), asked, again).join()).not.toContain("guest.make")
    expect(reasons(hostOf([]), wishNew(key, { volumes: { mp0: 4 } }))).toEqual([
      expect.stringContaining("has its root volume alone")
    ])
    expect(reasons(hostOf([]), wishNew(key, { nets: { net0: { ip: "dhcp" } } }))).toEqual([
      expect.stringContaining("names no bridge")
    ])
    expect(reasons(hostOf([guestOf()]), wishNew(key, { name: "ct-101" }))).toEqual([
      expect.stringContaining("would be called ct-101")
    ])
  })

  it("is not made anew when somebody took it away, or changed it until nobody knows it", () => {
    expect(reasons(hostOf([], { made: [key] }), wishNew(key))).toEqual([
      expect.stringContaining("this host made it before, in whole or by half, and it is gone or changed since")
    ])
  })

  it("is known by its key from then on, whatever its addresses are", () => {
    const made = guestOf({ vmid: 300, key, config: { net0: "name=eth0,hwaddr=02:00:00:00:00:09" } })
    expect(reasons(hostOf([made]), wishNew(key, { cores: 2 }))).toEqual(["lxc/300 config.set cores"])
  })
})
