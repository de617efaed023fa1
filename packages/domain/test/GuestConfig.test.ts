import { describe, it } from "@effect/vitest"
import { configHash, type GuestConfig, guestIdentity, trimDescription } from "@felhom/domain/GuestConfig"
import { Crypto } from "@felhom/domain/port/Crypto"
import { Sha256Hex } from "@felhom/domain/Sha256"
import { Effect, Layer } from "effect"
import { expect } from "vitest"

// Not a hash of any worth, but one that shows what it was made of.
const crypto = Layer.succeed(Crypto, {
  sha256: (data) =>
    Effect.sync(() =>
      Sha256Hex.make(
        Array.from(typeof data === "string" ? data : new TextDecoder().decode(data))
          .reduce((sum, letter) => (sum * 31n + BigInt(letter.codePointAt(0) ?? 0)) % (1n << 256n), 7n)
          .toString(16).padStart(64, "0")
      )
    ),
  randomHex: () => Effect.succeed("")
})

const container: GuestConfig = {
  arch: "amd64",
  hostname: "tiny",
  memory: 128,
  net0: "name=eth0,bridge=vmbr0,hwaddr=bc:24:11:E0:7E:97,ip=manual,type=veth",
  net1: "name=eth1,bridge=vmbr0,hwaddr=BC:24:11:00:00:01,type=veth",
  rootfs: "ctstore:9999/vm-9999-disk-0.raw,size=1G",
  mp0: "/srv/data,mp=/srv/data",
  mp1: "local:9999/vm-9999-disk-1.raw,mp=/data,backup=1",
  unused0: "local:9999/vm-9999-disk-2.raw",
  description: "felhom test guest\n",
  digest: "512c92734666a2e7faaa87b6d307eb3f4879da85"
}

const machine: GuestConfig = {
  boot: "order=scsi0;net0",
  memory: "256",
  net0: "virtio=BC:24:11:C5:B0:68,bridge=vmbr0",
  scsi0: "local:200/vm-200-disk-0.raw,size=1G",
  ide2: "local:iso/debian-13.iso,media=cdrom",
  ide3: "none,media=cdrom",
  efidisk0: "local:200/vm-200-disk-1.raw,size=4M",
  smbios1: "uuid=1741368e-c387-42cc-8971-e25211e7e768"
}

describe("a guest's identity", () => {
  it("is made of a container's network addresses and volumes, not of its binds and detached volumes", () => {
    expect(guestIdentity("lxc", container)).toEqual({
      hwaddrs: ["BC:24:11:00:00:01", "BC:24:11:E0:7E:97"],
      volumes: ["ctstore:9999/vm-9999-disk-0.raw", "local:9999/vm-9999-disk-1.raw"],
      smbiosUuid: null,
      key: null
    })
  })

  it("has a machine's SMBIOS uuid, and no installation media", () => {
    expect(guestIdentity("qemu", machine)).toEqual({
      hwaddrs: ["BC:24:11:C5:B0:68"],
      volumes: ["local:200/vm-200-disk-0.raw", "local:200/vm-200-disk-1.raw"],
      smbiosUuid: "1741368e-c387-42cc-8971-e25211e7e768",
      key: null
    })
  })

  it("is not its name: a renamed guest stays who it is", () => {
    expect(guestIdentity("lxc", { ...container, hostname: "other" })).toEqual(guestIdentity("lxc", container))
  })
})

describe("a configuration's hash", () => {
  const same = (a: GuestConfig, b: GuestConfig) =>
    Effect.map(Effect.all([configHash(a), configHash(b)]), ([one, two]) => one === two).pipe(Effect.provide(crypto))

  it.effect("does not change with a lock, a snapshot, the digest, key order, or how a number is written", () =>
    Effect.gen(function*() {
      expect(yield* same(container, { ...container, lock: "backup", digest: "0", parent: "before" })).toBe(true)
      expect(yield* same(container, Object.fromEntries(Object.entries(container).toReversed()))).toBe(true)
      expect(yield* same(container, { ...container, memory: "128" })).toBe(true)
      expect(yield* same(container, { ...container, description: "felhom test guest" })).toBe(true)
    }))

  it.effect("changes with everything else", () =>
    Effect.gen(function*() {
      expect(yield* same(container, { ...container, memory: 256 })).toBe(false)
      expect(yield* same(container, { ...container, description: "felhom\ntest guest" })).toBe(false)
      expect(yield* same(container, { ...container, somethingNew: 1 })).toBe(false)
      expect(yield* same(container, { ...container, unused0: undefined })).toBe(false)
    }))
})

describe("a description", () => {
  it("is compared without the newlines that Proxmox adds at its end", () => {
    expect(["a", "a\n", "a\n\n", "\n", "a\n\nb\n", " a \n"].map(trimDescription)).toEqual([
      "a",
      "a",
      "a",
      "",
      "a\n\nb",
      " a "
    ])
  })
})
