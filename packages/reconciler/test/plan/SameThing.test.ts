import { describe, it } from "@effect/vitest"
import { expect } from "vitest"
import { guestOf, type GuestOptions, planOne, told, type Wish } from "./ModelHost.ts"

const mac = "BC:24:11:00:00:65"

/** What Proxmox answers, and what is wished: the same thing, said otherwise. */
const same: ReadonlyArray<readonly [what: string, guest: GuestOptions, wish: Wish]> = [
  ["a description that Proxmox gave a newline", { config: { description: "hello\n" } }, { description: "hello" }],
  ["several newlines at its end", { config: { description: "a\nb\n\n" } }, { description: "a\nb\n\n\n" }],
  ["no description, and an empty one", {}, { description: "" }],
  ["tags in another order, case and separator", { config: { tags: "B,a;c c" } }, { tags: ["c", "a", "b"] }],
  ["no tags, and an empty list", {}, { tags: [] }],
  ["a switch as a word", { config: { onboot: "yes" } }, { onboot: true }],
  ["a switch as on", { config: { protection: "on" } }, { protection: true }],
  ["a switch that Proxmox leaves away", {}, { onboot: false }],
  ["a number as text", { config: { memory: "2048", cores: "4" } }, { memory: 2048, cores: 4 }],
  ["defaults that Proxmox leaves away", { config: { memory: undefined, swap: undefined } }, {
    memory: 512,
    swap: 512,
    cpulimit: 0,
    cpuunits: 100
  }],
  ["a virtual machine's memory with its name before it", { type: "qemu", config: { memory: "current=2048" } }, {
    memory: 2048
  }],
  ["a virtual machine's one core", { type: "qemu" }, { cores: 1 }],
  ["a startup order without its name", { config: { startup: "3,up=30" } }, { startup: { order: 3, up: 30 } }],
  ["a startup with more in it than is wished", { config: { startup: "up=30,order=3,down=9" } }, {
    startup: { order: 3 }
  }],
  ["name servers with other gaps", { config: { nameserver: "1.1.1.1,  fd00::1" } }, {
    nameserver: ["1.1.1.1", "fd00::1"]
  }],
  ["a card's parts in another order", { config: { net0: `hwaddr=${mac},ip=dhcp,tag=7,bridge=vmbr0,name=eth0` } }, {
    nets: { net0: { bridge: "vmbr0", tag: 7, ip: "dhcp", firewall: false, linkDown: false } }
  }],
  ["a size in another unit", { config: { rootfs: "local-zfs:subvol-101-disk-0,size=8192M" } }, {
    volumes: { rootfs: 8 }
  }],
  ["a size in bytes", { config: { rootfs: "size=8589934592,volume=local-zfs:subvol-101-disk-0" } }, {
    volumes: { rootfs: 8 }
  }],
  ["its own name", {}, { name: "ct-101" }]
]

describe("a plan takes for the same what Proxmox takes for the same", () => {
  for (const [what, guest, wish] of same) {
    it(what, () => {
      expect(planOne(guestOf(guest), wish)).toEqual({ steps: [], notes: [] })
    })
  }
})

/** What differs, and the one request that puts it right. */
const other: ReadonlyArray<readonly [what: string, guest: GuestOptions, wish: Wish, told: ReadonlyArray<string>]> = [
  ["a percent sign that is meant", { config: { description: "a%20b\n" } }, { description: "a b" }, [
    "set description=a b"
  ]],
  ["a description that is to go", { config: { description: "old\n" } }, { description: "" }, ["clear description"]],
  ["tags, sent as Proxmox keeps them", { config: { tags: "a" } }, { tags: ["c", "b"] }, ["set tags=b;c"]],
  ["tags that are to go", { config: { tags: "a" } }, { tags: [] }, ["clear tags"]],
  ["name servers in another order", { config: { nameserver: "1.1.1.1 9.9.9.9" } }, {
    nameserver: ["9.9.9.9", "1.1.1.1"]
  }, ["set nameserver=9.9.9.9 1.1.1.1"]],
  [
    "a card, whose other parts stay, unknown ones too",
    {
      config: { net0: `name=eth0,bridge=vmbr0,hwaddr=${mac},host-managed=1,newthing=x,type=veth` }
    },
    { nets: { net0: { bridge: "vmbr1", tag: 7 } } },
    [
      `set net0=name=eth0,bridge=vmbr1,hwaddr=${mac},host-managed=1,newthing=x,type=veth,tag=7`
    ]
  ],
  ["a virtual machine's card, with its model and address first", { type: "qemu", config: {} }, {
    nets: { net0: { tag: 9 } }
  }, [`set net0=virtio=${mac},bridge=vmbr0,firewall=1,tag=9`]],
  ["a startup, whose other parts stay", { config: { startup: "3,up=30" } }, { startup: { order: 5, down: 60 } }, [
    "set startup=order=5,up=30,down=60"
  ]],
  ["cores that a container has no limit of", {}, { cores: 2 }, ["set cores=2"]],
  ["half a core", { config: { cpulimit: "0.5" } }, { cpulimit: 1 }, ["set cpulimit=1"]],
  ["each change in a request of its own", {}, { cores: 2, onboot: true, tags: ["x"], memory: 1024 }, [
    "set tags=x",
    "set onboot=1",
    "set cores=2",
    "set memory=1024"
  ]],
  ["a volume that is to be larger", {}, { volumes: { rootfs: 16 } }, ["grow rootfs to 16"]],
  ["a machine's name, which is another key", { type: "qemu" }, { name: "files" }, ["set name=files"]]
]

describe("a plan puts right", () => {
  for (const [what, guest, wish, expected] of other) {
    it(what, () => {
      expect(told(planOne(guestOf({ vmid: 101, ...guest }), wish))).toEqual(expected)
    })
  }

  it("a key with its text from before as its precondition, the digest and who the guest is", () => {
    const guest = guestOf({ config: { cores: 2 } })
    expect(planOne(guest, { cores: 4 }).steps).toEqual([{
      class: "benign",
      id: "lxc/101 config.set cores",
      guest: { type: "lxc", ref: guest.ref, identity: guest.identity, name: "ct-101" },
      drift: "settings",
      reason: "cores: it is not as wished",
      old: "2",
      new: "4",
      action: { kind: "config.set", key: "cores", text: "4" },
      effect: "now",
      precondition: { digest: "d0", before: { key: "cores", text: "2" } },
      after: [],
      waitsFor: null,
      op: null
    }])
  })
})

describe("what is pending", () => {
  it("is not written again, and said to need a restart", () => {
    const machine = guestOf({ type: "qemu", vmid: 200, config: { cores: 4 }, current: { cores: 2 } })
    const { notes, steps } = planOne(machine, { cores: 4 })
    expect(steps).toEqual([])
    expect(notes.map(({ text }) => text)).toEqual([
      "cores is written and pending: it holds from the guest's next start on; restart it when that suits"
    ])
  })

  it("is nothing to tell of a guest that does not run, as its start applies it", () => {
    const machine = guestOf({ type: "qemu", vmid: 200, status: "stopped", config: { cores: 4 }, current: { cores: 2 } })
    expect(planOne(machine, { cores: 4 })).toEqual({ steps: [], notes: [] })
  })

  it("is told beforehand, and no running guest is stopped for it", () => {
    const [step] = planOne(guestOf({ type: "qemu", vmid: 200 }), { cores: 4, power: "running" }).steps
    expect(step).toMatchObject({ class: "benign", effect: "next-start", action: { kind: "config.set" } })
  })

  it("is not what becomes of a change to a guest that does not run", () => {
    const [step] = planOne(guestOf({ type: "qemu", vmid: 200, status: "stopped" }), { cores: 4 }).steps
    expect(step).toMatchObject({ effect: "now", action: { kind: "config.set" } })
  })

  it("may be of a card or a startup, too", () => {
    const config = { net0: `name=eth0,bridge=vmbr1,hwaddr=${mac}`, startup: "order=2" }
    const current = { net0: `name=eth0,bridge=vmbr0,hwaddr=${mac}`, startup: undefined }
    const { notes, steps } = planOne(guestOf({ config, current }), {
      nets: { net0: { bridge: "vmbr1" } },
      startup: { order: 2 }
    })
    expect(steps).toEqual([])
    expect(notes.map(({ text }) => text.split(" ")[0])).toEqual(["net0", "startup"])
  })
})
