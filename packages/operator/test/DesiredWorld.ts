import { Effect } from "effect"
import { createHash } from "node:crypto"
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

/** A host that takes what its hub wishes for it, and says so with its next report. */
export const takingHost = (hub: Hub, node: string, admin: Effect.Effect.Success<ReturnType<typeof makePerson>>) =>
  Effect.gen(function*() {
    const host = yield* makeHost(hub, node)
    const [token = ""] = (yield* admin.felhom(["enrol"])).out.split("\n")
    yield* Effect.flip(host.enrol(token))
    yield* admin.felhom(["accept", host.code])
    yield* host.enrol(token)
    let sequence = 0
    let desired: unknown = null
    const reports = (
      guests: ReadonlyArray<object>,
      more: { readonly [key: string]: unknown } = {},
      status: unknown = null
    ) => {
      const report = opReport(guests)
      sequence += 1
      return Effect.map(
        host.send({
          ...report,
          inventory: { ...report.inventory, desired: status },
          trust: { ...trust, desired },
          sequence,
          takenAt: Date.now(),
          ...more
        }),
        (envelope) => {
          if (envelope.desired === undefined) return envelope
          const bytes = Buffer.from(envelope.desired, "base64")
          const document: { readonly epoch: string; readonly version: number } = JSON.parse(bytes.toString("utf8"))
          desired = {
            epoch: document.epoch,
            version: document.version,
            sha256: createHash("sha256").update(bytes).digest("hex")
          }
          return envelope
        }
      )
    }
    return { ...host, reports }
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
