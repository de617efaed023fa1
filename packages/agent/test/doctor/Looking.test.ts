import { FileSystem } from "@effect/platform"
import { NodeContext } from "@effect/platform-node"
import { describe, it } from "@effect/vitest"
import * as ServedCertificate from "@felhom/agent/doctor/ServedCertificate"
import * as StateFolder from "@felhom/agent/doctor/StateFolder"
import { formatFingerprint } from "@felhom/domain/PeerPin"
import { HttpsFront } from "@felhom/pve-sim/HttpsFront"
import { PveSim } from "@felhom/pve-sim/PveSim"
import { Effect, Layer } from "effect"
import { expect } from "vitest"

const front = HttpsFront.layer({ host: "127.0.0.1", port: 0 }).pipe(Layer.provide(PveSim.layer()))

describe("looking at a certificate", () => {
  it.live("sees what is served, and asks nothing", () =>
    Effect.gen(function*() {
      const { certificates, serve, url, wire } = yield* HttpsFront
      const { look } = yield* ServedCertificate.ServedCertificate
      for (const name of ["original", "renewed", "foreign"] as const) {
        yield* serve(name)
        const seen = yield* look(new URL(url))
        const expected = (yield* certificates)[name]
        expect(formatFingerprint(seen.leaf)).toBe(expected.leaf)
        expect(seen.spki).toBe(expected.spki)
      }
      expect(yield* wire).toMatchObject({ connections: 3, applicationBytes: 0, requests: 0 })
    }).pipe(Effect.provide(Layer.merge(front, ServedCertificate.layer))))

  it.live("says where it looked when nobody answers", () =>
    Effect.gen(function*() {
      const { look } = yield* ServedCertificate.ServedCertificate
      const refused = yield* Effect.flip(look(new URL("https://127.0.0.1:1")))
      expect(refused.message).toContain("no TLS handshake with 127.0.0.1:1: ")
      expect(refused.message).toContain("systemctl status pveproxy")
    }).pipe(Effect.provide(ServedCertificate.layer)))
})

describe("looking at the state folder", () => {
  it.scoped("tells a folder that is there from one that would be made, writes nothing, and names the file system", () =>
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const { look } = yield* StateFolder.StateFolder
      const directory = yield* fs.makeTempDirectoryScoped()
      const there = yield* look(directory)
      expect(there).toMatchObject({ looked: directory, exists: true, writable: true })
      expect(there.freeBytes).toBeGreaterThan(0)
      expect(there.fileSystem).toContain("mounted at /")
      expect(yield* look(`${directory}/a/b`)).toMatchObject({ looked: directory, exists: false })
      expect(yield* fs.readDirectory(directory)).toEqual([])
    }).pipe(Effect.provide(Layer.merge(NodeContext.layer, StateFolder.layer))))

  it.scoped("names the file system that a folder is really on", () =>
    Effect.gen(function*() {
      const { look } = yield* StateFolder.StateFolder
      expect(yield* look("/proc/sys/kernel/random")).toMatchObject({ exists: true })
      expect((yield* look("/proc/self")).fileSystem).toContain("mounted at /proc")
    }).pipe(Effect.provide(StateFolder.layer)))
})
