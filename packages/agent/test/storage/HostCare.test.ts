import { describe, it } from "@effect/vitest"
import { askDaemon } from "@felhom/agent/admin/AskDaemon"
import { cycle, freshMemory } from "@felhom/agent/Cycle"
import { startOps } from "@felhom/agent/ops/OpsStart"
import { envelopeType } from "@felhom/domain/Envelope"
import type { HostReport } from "@felhom/domain/HostReport"
import { NodeName, TokenId } from "@felhom/domain/ProxmoxId"
import { EpochMillis } from "@felhom/domain/Time"
import * as StateFile from "@felhom/durable/StateFile"
import { HubClient } from "@felhom/hub-client/HubClient"
import * as NodeCrypto from "@felhom/node/NodeCrypto"
import * as NodeDurableFile from "@felhom/node/NodeDurableFile"
import { Privileged, PrivilegedError } from "@felhom/privileged/Privileged"
import * as ProxmoxClient from "@felhom/proxmox/ProxmoxClient"
import { ProxmoxConfig } from "@felhom/proxmox/ProxmoxConfig"
import * as TaskWaiter from "@felhom/proxmox/TaskWaiter"
import * as InProcessFront from "@felhom/pve-sim/InProcessFront"
import { PveSim } from "@felhom/pve-sim/PveSim"
import * as RootDisks from "@felhom/pve-sim/RootDisks"
import * as RootFront from "@felhom/pve-sim/RootFront"
import * as Observer from "@felhom/reconciler/Observer"
import { agentPrivileges } from "@felhom/reconciler/Rights"
import { Effect, Layer, Redacted } from "effect"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect } from "vitest"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "felhom-care-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

const tokenId = TokenId.make("felhom-agent@pve!agent")
const secret = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"

const policy = {
  typ: "felhom/policy/v1",
  storage: {
    disks: {
      backup: { storage: "usb", disks: { blue: { uuid: "1741368e-c387-42cc-8971-e25211e7e768", serial: "BLUE1" } } }
    }
  }
}

/** A host whose root helpers answer at real sockets beside the agent's runtime folder. */
const hostIn = (directory: string) => {
  const sim = PveSim.layer({ secrets: { [tokenId]: secret }, roles: { FelhomAgent: agentPrivileges } })
  const sockets = Layer.unwrapEffect(
    Effect.map(RootDisks.RootDisks, (disks) => RootFront.layer(join(directory, "run-root"), disks))
  )
  const config = Layer.effect(
    ProxmoxConfig,
    Effect.map(PveSim, ({ node }) => ({
      url: new URL("https://demo.example:8006"),
      node: NodeName.make(node),
      tokenId,
      secret: Redacted.make(secret)
    }))
  )
  const noSensors = Layer.mock(Privileged, {
    smart: () => new PrivilegedError({ verb: "smart", reason: "unavailable", detail: "no sensors in this test" })
  })
  return Layer.mergeAll(TaskWaiter.layer, Observer.layer).pipe(
    Layer.provideMerge(Layer.provide(ProxmoxClient.layer, Layer.merge(InProcessFront.layer, config))),
    Layer.provideMerge(Layer.mergeAll(sockets, noSensors, NodeCrypto.layer)),
    Layer.provideMerge(RootDisks.layer),
    Layer.provideMerge(sim)
  )
}

/** A hub that keeps what it is told. */
const makeHub = () => {
  const reports: Array<HostReport> = []
  const layer = Layer.succeed(HubClient, {
    exchange: (report) =>
      Effect.sync(() => {
        reports.push(report)
        return {
          typ: envelopeType,
          host: report.host.id,
          hostEpoch: report.host.epoch,
          serverTime: EpochMillis.make(Date.now()),
          nextReportSeconds: 60,
          acked: 0,
          ops: [],
          signers: []
        }
      })
  })
  return { layer, reports }
}

describe("an agent with disks to look after", () => {
  it.scopedLive(
    "mounts one that is plugged in, says so to root and to its hub, and ejects it when root asks",
    () =>
      Effect.gen(function*() {
        const directory = yield* folder
        writeFileSync(join(directory, "policy.json"), JSON.stringify(policy))
        const hub = makeHub()
        const state = StateFile.layer(join(directory, "state")).pipe(
          Layer.provide([NodeDurableFile.layer, NodeCrypto.layer])
        )
        const context = yield* Layer.build(Layer.mergeAll(state, hub.layer, hostIn(directory)))
        const run = join(directory, "run")
        yield* Effect.gen(function*() {
          const { plug } = yield* RootDisks.RootDisks
          yield* plug({
            path: "/dev/sdb",
            serial: "BLUE1",
            uuid: "1741368e-c387-42cc-8971-e25211e7e768",
            fstype: "ext4",
            label: null,
            size: 1_000_204_886_016,
            bad: { reallocated: 3, pending: 0, uncorrectable: 0 },
            passed: true,
            celsius: 34
          })
          const desk = yield* startOps({
            stateDirectory: join(directory, "state"),
            runtimeDirectory: run,
            policyFile: join(directory, "policy.json"),
            signers: {
              allowed: join(directory, "allowed_signers"),
              revoked: { path: join(directory, "revoked_keys"), required: false }
            },
            bootId: null
          })
          const turn = cycle({ node: NodeName.make("pve"), bootId: null }, freshMemory, desk)
          const listed = yield* askDaemon(run, { ask: "disks.list" })
          expect(listed.disks?.kept.sets[0]).toMatchObject({ name: "backup", state: "ready" })
          expect(listed.disks?.devices[0]).toMatchObject({ path: "/dev/sdb1", mountpoint: "/mnt/felhom/backup" })
          yield* turn
          yield* askDaemon(run, { ask: "health.show", now: true })
          const { health } = yield* askDaemon(run, { ask: "health.show", now: true })
          expect(health?.lines[0]).toMatchObject({
            name: "/dev/sdb",
            id: "BLUE1",
            state: "warn",
            reasons: ["it has 3 reallocated sectors"],
            storages: ["usb"]
          })
          yield* turn
          expect(hub.reports.at(-1)?.sections).toMatchObject({
            health: {
              state: "ok",
              value: { lines: expect.arrayContaining([expect.objectContaining({ id: "BLUE1" })]) }
            },
            hostStorage: { state: "ok", value: { sets: [{ name: "backup", state: "ready" }] } }
          })
          expect((yield* askDaemon(run, { ask: "disks.eject", name: "blue" })).message).toContain("may be unplugged")
          expect((yield* Effect.flip(askDaemon(run, { ask: "disks.eject", name: "blue" }))).message).toContain(
            "nothing to eject"
          )
          expect((yield* askDaemon(run, { ask: "disks.adopt", disk: "blue" })).message).toContain("is taken as it is")
        }).pipe(Effect.provide(context))
      }),
    60_000
  )
})
