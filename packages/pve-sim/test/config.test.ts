import { it } from "@effect/vitest"
import { agentPrivileges } from "@felhom/pve-sim/AccessControl"
import { PveSim } from "@felhom/pve-sim/PveSim"
import { Effect, TestClock } from "effect"
import { expect } from "vitest"
import { ask, node, secrets } from "./Asking.ts"

const guest = `${node}/lxc/9999`
const config = Effect.map(ask("GET", `${guest}/config`), ({ data }) => data)
const provide = Effect.provide(PveSim.layer({ secrets, roles: { FelhomAgent: agentPrivileges } }))

it.effect("tags come back in lower case, each once and sorted", () =>
  Effect.gen(function*() {
    yield* ask("PUT", `${guest}/config`, "tags=zoo%3BAlpha%2Calpha%20beta")
    expect(yield* config).toMatchObject({ tags: "alpha;beta;zoo" })
  }).pipe(provide))

it.effect("a network card without an address gets a fresh one at every write, and its parts in Proxmox's order", () =>
  Effect.gen(function*() {
    yield* ask("PUT", `${guest}/config`, `net0=${encodeURIComponent("ip=dhcp,bridge=vmbr0,name=eth0")}`)
    expect(yield* config).toMatchObject({
      net0: expect.stringMatching(/^name=eth0,bridge=vmbr0,hwaddr=BC:24:11(:[0-9A-F]{2}){3},ip=dhcp,type=veth$/)
    })
    expect(yield* config).not.toMatchObject({ net0: expect.stringContaining("BC:24:11:E0:7E:97") })
  }).pipe(provide))

it.effect("on a running guest some changes are live, others wait for its next start", () =>
  Effect.gen(function*() {
    yield* (yield* PveSim).change({ _tag: "guest.status", vmid: 9999, status: "running" })
    yield* ask("PUT", `${guest}/config`, "memory=256&nameserver=192.0.2.1")
    const inForce = yield* ask("GET", `${guest}/config?current=1`)
    expect(inForce.data).toMatchObject({ memory: 256 })
    expect(inForce.data).not.toHaveProperty("nameserver")
    expect(yield* config).toMatchObject({ nameserver: "192.0.2.1" })
    expect((yield* ask("GET", `${guest}/pending`)).data).toContainEqual({ key: "nameserver", pending: "192.0.2.1" })
    yield* ask("POST", `${guest}/status/reboot`)
    yield* TestClock.adjust("30 seconds")
    expect((yield* ask("GET", `${guest}/config?current=1`)).data).toMatchObject({ nameserver: "192.0.2.1" })
  }).pipe(provide))

it.effect("a request with one forbidden key changes nothing", () =>
  Effect.gen(function*() {
    const before = yield* config
    expect((yield* ask("PUT", `${guest}/config`, "memory=256&hookscript=local%3Asnippets%2Fx")).status).toBe(403)
    expect(yield* config).toEqual(before)
  }).pipe(provide))

it.effect("a volume that is taken out of use stays, and is destroyed when its unused entry goes", () =>
  Effect.gen(function*() {
    const volumes = Effect.map(ask("GET", `${node}/storage/ctstore/content?vmid=9999`), ({ data }) => data)
    yield* ask("PUT", `${guest}/config`, `mp0=${encodeURIComponent("ctstore:2,mp=/data")}`)
    expect(yield* config).toMatchObject({ mp0: "ctstore:9999/vm-9999-disk-1.raw,mp=/data,size=2G" })
    yield* ask("PUT", `${guest}/config`, "delete=mp0")
    expect(yield* config).toMatchObject({ unused0: "ctstore:9999/vm-9999-disk-1.raw" })
    expect(yield* volumes).toHaveLength(2)
    yield* ask("PUT", `${guest}/config`, "delete=unused0")
    expect(yield* volumes).toHaveLength(1)
  }).pipe(provide))

it.effect("a rollback brings the configuration back, but not the description", () =>
  Effect.gen(function*() {
    yield* ask("POST", `${guest}/snapshot`, "snapname=one")
    yield* TestClock.adjust("1 second")
    yield* ask("PUT", `${guest}/config`, "memory=256&description=later")
    yield* ask("POST", `${guest}/snapshot/one/rollback`)
    yield* TestClock.adjust("1 second")
    expect(yield* config).toMatchObject({ memory: 128, description: "later\n", parent: "one" })
  }).pipe(provide))

it.effect("the cluster's view of a guest lags behind by up to ten seconds", () =>
  Effect.gen(function*() {
    yield* TestClock.adjust("12 seconds")
    yield* (yield* PveSim).change({ _tag: "guest.status", vmid: 9999, status: "running" })
    const seen = Effect.map(ask("GET", "/api2/json/cluster/resources?type=vm"), ({ data }) => data)
    expect(yield* seen).toContainEqual(expect.objectContaining({ id: "lxc/9999", status: "stopped" }))
    yield* TestClock.adjust("8 seconds")
    expect(yield* seen).toContainEqual(expect.objectContaining({ id: "lxc/9999", status: "running" }))
  }).pipe(provide))
