import { it } from "@effect/vitest"
import { HttpsFront } from "@felhom/pve-sim/HttpsFront"
import { PveSim } from "@felhom/pve-sim/PveSim"
import { Effect, Layer } from "effect"
import proxmoxApi from "proxmox-api"
import { expect, vi } from "vitest"

const tokenID = "felhom-agent@pve!agent"
const tokenSecret = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"

const host = HttpsFront.layer({ host: "127.0.0.1", port: 0 }).pipe(
  Layer.provideMerge(PveSim.layer({ speed: 20, secrets: { [tokenID]: tokenSecret } }))
)

/** That client knows no pins, and the simulator's certificate is its own. */
const trusting = Effect.acquireRelease(
  Effect.sync(() => vi.stubEnv("NODE_TLS_REJECT_UNAUTHORIZED", "0")),
  () => Effect.sync(() => vi.unstubAllEnvs())
)

const nodeMajor = Number(process.versions.node.split(".")[0])

// A client that other people wrote against the real API: what it understands, our own can't have agreed upon with the simulator.
it.scopedLive.skipIf(nodeMajor > 20)(
  "the client proxmox-api reads a simulated host, and snapshots a guest of it (on Node 20: newer ones refuse a header it sends)",
  () =>
    Effect.gen(function*() {
      yield* trusting
      const { url } = yield* HttpsFront
      const { hostname, port } = new URL(url)
      const api = proxmoxApi({ host: hostname, port: Number(port), tokenID, tokenSecret })
      expect((yield* Effect.promise(() => api.version.$get())).version).toBe("9.2.11")
      const nodes = yield* Effect.promise(() => api.nodes.$get())
      expect(nodes.map(({ node, status }) => [node, status])).toEqual([["demo-felhom", "online"]])
      const node = api.nodes.$("demo-felhom")
      const containers = yield* Effect.promise(() => node.lxc.$get())
      expect(containers.map(({ vmid }) => Number(vmid)).sort((a, b) => a - b)).toEqual([101, 102, 9999])

      const guest = node.lxc.$(9999)
      const upid = yield* Effect.promise(() => guest.snapshot.$post({ snapname: "felhom1", description: "a; b=c" }))
      expect(upid).toMatch(/^UPID:demo-felhom:.*:vzsnapshot:9999:felhom-agent@pve!agent:$/)
      const ended = yield* Effect.promise(() => node.tasks.$(upid).status.$get()).pipe(
        Effect.repeat({ until: ({ status }) => status === "stopped" }),
        Effect.timeout("20 seconds")
      )
      expect(ended.exitstatus).toBe("OK")
      const snapshots = yield* Effect.promise(() => guest.snapshot.$get())
      expect(snapshots.map(({ name }) => name)).toEqual(["felhom1", "current"])
    }).pipe(Effect.provide(host)),
  30_000
)
