import type { HostEpoch, HostId } from "@felhom/domain/HostId"
import * as NodeCrypto from "@felhom/node/NodeCrypto"
import * as NodeDurableFile from "@felhom/node/NodeDurableFile"
import * as DesiredIntake from "@felhom/reconciler/desired/DesiredIntake"
import * as DesiredStore from "@felhom/reconciler/desired/DesiredStore"
import { TrustNews } from "@felhom/reconciler/trust/TrustNews"
import { Context, Effect, Layer, Logger, LogLevel } from "effect"
import { mkdirSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { guest } from "./HostBuilder.ts"
import { now, opReport, trust } from "./OpWorld.ts"
import { folder, type Hub, makeHost, makeHub, makePerson } from "./TrustWorld.ts"

const ok = <A>(value: A) => ({ state: "ok", readAt: now, value }) as const

/** A guest that its host can tell from others. */
export const known = (vmid: number, name: string | null, more: object = {}) =>
  guest(vmid, {
    name,
    config: ok({
      identity: { hwaddrs: [`BC:24:11:00:00:${vmid % 100}`], volumes: [`s:${vmid}`], smbiosUuid: null, key: null },
      hash: "c".repeat(64),
      protection: false,
      onboot: false,
      description: null
    }),
    ...more
  })

/** What takes desired state on a host, and tells why it takes none. */
const intake = (directory: string, id: HostId, epoch: HostEpoch, refused: Array<string>) =>
  DesiredIntake.layer({ id, epoch }).pipe(
    Layer.provide(DesiredStore.layer(directory)),
    Layer.provide(
      Layer.mock(TrustNews, {
        desiredAudited: () => Effect.void,
        desiredRefused: ({ message }) => Effect.sync(() => void refused.push(message))
      })
    ),
    Layer.provide(Layer.merge(NodeCrypto.layer, NodeDurableFile.layer))
  )

/** A host that takes what its hub wishes for it, as agents do, and says so with its next report. */
export const takingHost = (hub: Hub, node: string, admin: Effect.Effect.Success<ReturnType<typeof makePerson>>) =>
  Effect.gen(function*() {
    const host = yield* makeHost(hub, node)
    const [token = ""] = (yield* admin.felhom(["enrol"])).out.split("\n")
    yield* Effect.flip(host.enrol(token))
    yield* admin.felhom(["accept", host.code])
    yield* host.enrol(token)
    const refused: Array<string> = []
    const desired = Context.get(
      yield* Layer.build(intake(host.directory, host.id, host.epoch, refused)),
      DesiredIntake.DesiredIntake
    )
    let sequence = 0
    const reports = (
      guests: ReadonlyArray<object>,
      more: { readonly [key: string]: unknown } = {},
      status: unknown = null
    ) =>
      Effect.gen(function*() {
        const report = opReport(guests)
        sequence += 1
        const envelope = yield* host.send({
          ...report,
          inventory: { ...report.inventory, desired: status },
          trust: { ...trust, desired: yield* desired.held },
          sequence,
          takenAt: Date.now(),
          ...more
        })
        if (envelope.desired !== undefined) {
          yield* Logger.withMinimumLogLevel(desired.fromHub(envelope.desired), LogLevel.None)
        }
        return envelope
      })
    return { ...host, reports, refused }
  })

/** A hub, its admin, an operator who knows the hosts, and a place for files. */
export const desiredWorld = (...nodes: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const hub = yield* makeHub
    const admin = yield* makePerson(hub, yield* hub.token("admin"))
    const operator = yield* makePerson(hub, yield* hub.token("operator", "anna"))
    const hosts = yield* Effect.forEach(nodes.length === 0 ? ["attic"] : nodes, (node) => takingHost(hub, node, admin))
    const place = yield* folder
    const write = (name: string, text: string): string => {
      const path = join(place, name)
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, text)
      return path
    }
    const trusts = Effect.forEach(hosts, (host) => operator.felhom(["trust", host.id], { types: host.code }))
    const [host] = hosts
    if (host === undefined) return yield* Effect.die("a world has a host")
    return { hub, admin, operator, host, hosts, place, write, trusts }
  })
