import { describe, it } from "@effect/vitest"
import { needsMandate } from "@felhom/proxmox/BenignConfig"
import { type BenignKey, decideKey } from "@felhom/reconciler/plan/ConfigKey"
import * as fc from "effect/FastCheck"
import { expect } from "vitest"

const set = (key: string, text: string | null = "1", type: "lxc" | "qemu" = "lxc") => decideKey({ type, key, text })

describe("the class of a configuration key", () => {
  it("is benign for what protocol 4 lists, and protection only when it is put on", () => {
    for (
      const key of [
        "cores",
        "cpulimit",
        "cpuunits",
        "memory",
        "swap",
        "onboot",
        "startup",
        "description",
        "tags",
        "hostname",
        "nameserver",
        "net0",
        "net31",
        "protection"
      ]
    ) {
      expect(set(key), key).toBe("benign")
    }
    expect(set("name", "x", "qemu")).toBe("benign")
    expect(set("protection", "0")).toBe("needs-signature")
    expect(set("protection", null)).toBe("needs-signature")
    expect(set("memory", null)).toBe("needs-signature")
    expect(set("net0", null)).toBe("needs-signature")
    expect(set("tags", null)).toBe("benign")
  })

  it("takes a signature for all else that is known, and nobody's word for what Proxmox takes from root alone", () => {
    for (const key of ["rootfs", "mp0", "unused0", "features", "env", "scsi0", "numa", "numa0", "boot", "serial3"]) {
      expect(set(key), key).toBe("needs-signature")
    }
    for (const key of ["lock", "dev0", "hookscript", "unprivileged", "args"]) expect(set(key), key).toBe("never")
  })

  it("is never, for what this version does not know", () => {
    for (
      const key of [
        "",
        "net",
        "net00",
        "net01",
        "net1000",
        "cores0",
        "lxc.init.cmd",
        "rootfs0",
        "toString",
        "__proto__",
        "Memory",
        " net0",
        "net0 ",
        "newkey"
      ]
    ) {
      expect(set(key), key).toBe("never")
    }
    expect(set("swap", "1", "qemu")).toBe("never")
    expect(set("hostname", "x", "qemu")).toBe("never")
    expect(set("name", "x")).toBe("never")
  })

  it("is looked at by the compiler, too: a plan can't name a key that takes more than the hub's word", () => {
    // @ts-expect-error a volume is none of them
    const volume: BenignKey = "rootfs"
    // @ts-expect-error nor is a lock
    const lock: BenignKey = "lock"
    expect([set(volume), set(lock)]).toEqual(["needs-signature", "never"])
  })

  it("is benign only where the client writes it without a mandate, too", () => {
    const keys = fc.oneof(
      fc.string(),
      fc.constantFrom("cores", "memory", "protection", "tags", "net0", "net7", "mp0", "lock", "hostname", "swap")
    )
    fc.assert(
      fc.property(keys, fc.option(fc.constantFrom("0", "1", "x")), (key, text) => {
        if (decideKey({ type: "lxc", key, text }) !== "benign") return
        expect(needsMandate(text === null ? { delete: [key] } : { set: { [key]: text } })).toBeUndefined()
      })
    )
  })
})
