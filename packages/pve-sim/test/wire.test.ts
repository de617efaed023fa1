import { it } from "@effect/vitest"
import { ControlFront } from "@felhom/pve-sim/ControlFront"
import { HttpsFront } from "@felhom/pve-sim/HttpsFront"
import { PveSim } from "@felhom/pve-sim/PveSim"
import { layer as rootDisks, RootDisks } from "@felhom/pve-sim/RootDisks"
import { Effect, Layer } from "effect"
import * as Tls from "node:tls"
import { expect } from "vitest"
import { ask, node, secrets } from "./Asking.ts"

const loopback = { host: "127.0.0.1", port: 0 }

const fronts = ControlFront.layer(loopback).pipe(Layer.provideMerge(HttpsFront.layer(loopback)))
const host = fronts.pipe(Layer.provideMerge(PveSim.layer({ secrets, speed: 1000 })))

const provide = Effect.provide(host)

/** A TLS connection to the front, closed with the scope. */
const connect = Effect.gen(function*() {
  const front = yield* HttpsFront
  return yield* Effect.acquireRelease(
    Effect.async<Tls.TLSSocket>((resume) => {
      const socket = Tls.connect({
        host: "127.0.0.1",
        port: Number(new URL(front.url).port),
        rejectUnauthorized: false
      })
      socket.once("secureConnect", () => resume(Effect.succeed(socket)))
      socket.once("error", (error) => resume(Effect.die(error)))
    }),
    (socket) => Effect.sync(() => socket.destroy())
  )
})

const leafOf = (socket: Tls.TLSSocket): string => socket.getPeerCertificate().fingerprint256

const requestFor = (path: string): string =>
  `GET /api2/json${path} HTTP/1.1\r\nHost: pve\r\nAuthorization: PVEAPIToken=felhom-agent@pve!agent=agent-secret\r\n\r\n`

/** Sends one request and waits for the answer's head and body. */
const exchange = (socket: Tls.TLSSocket, path: string): Effect.Effect<string> =>
  Effect.async<string>((resume) => {
    let text = ""
    const collect = (chunk: Buffer) => {
      text += chunk.toString("utf8")
      const [head = "", body] = text.split(/\r\n\r\n(.*)/s)
      const length = /Content-Length: (\d+)/.exec(head)?.[1]
      if (body === undefined || length === undefined || Buffer.byteLength(body) < Number(length)) return
      socket.off("data", collect)
      resume(Effect.succeed(text))
    }
    socket.on("data", collect)
    socket.write(requestFor(path))
  })

const ended = (socket: Tls.TLSSocket): Effect.Effect<void> =>
  Effect.async<void>((resume) => {
    if (socket.readableEnded || socket.destroyed) return resume(Effect.void)
    socket.once("end", () => resume(Effect.void))
    socket.resume()
  })

it.scopedLive("a client that turns away at the certificate has sent nothing", () =>
  Effect.gen(function*() {
    const front = yield* HttpsFront
    yield* front.serve("foreign")
    const pinned = (yield* front.certificates).original.leaf
    const socket = yield* connect
    expect(leafOf(socket)).not.toBe(pinned)
    yield* Effect.sync(() => socket.destroy())
    const wire = yield* front.wire
    expect(wire.perCertificate.foreign).toMatchObject({ connections: 1, applicationBytes: 0, requests: 0 })
  }).pipe(provide))

it.scopedLive("every application byte is counted, for the certificate it was sent to", () =>
  Effect.gen(function*() {
    const front = yield* HttpsFront
    const socket = yield* connect
    expect(yield* exchange(socket, "/version")).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
    expect((yield* front.wire).perCertificate.original).toEqual({
      connections: 1,
      handshakes: 1,
      applicationBytes: requestFor("/version").length,
      requests: 1
    })
    yield* exchange(socket, "/nodes")
    expect((yield* front.wire).applicationBytes).toBe(requestFor("/version").length + requestFor("/nodes").length)
    expect((yield* front.wire).connections).toBe(1)
  }).pipe(provide))

it.scopedLive("another certificate is for new connections, while those that are open go on", () =>
  Effect.gen(function*() {
    const front = yield* HttpsFront
    const { original, renewed } = yield* front.certificates
    expect(renewed.spki).toBe(original.spki)
    const before = yield* connect
    yield* front.serve("renewed")
    const after = yield* connect
    expect([leafOf(before), leafOf(after)]).toEqual([original.leaf, renewed.leaf])
    expect(yield* exchange(before, "/version")).toMatch(/^HTTP\/1\.1 200 /)
    expect(yield* exchange(after, "/nodes")).toContain(`"ssl_fingerprint":"${renewed.leaf}"`)
    expect((yield* front.wire).perCertificate).toMatchObject({ original: { requests: 1 }, renewed: { requests: 1 } })
  }).pipe(provide))

it.scopedLive("a refusal closes the connection, with the reason in the status line", () =>
  Effect.gen(function*() {
    const socket = yield* connect
    expect(yield* exchange(socket, "/nodes/demo-felhom/lxc/4711/config"))
      .toMatch(/^HTTP\/1\.1 500 Configuration file 'nodes\/demo-felhom\/lxc\/4711\.conf' does not exist\r\n/)
    yield* ended(socket)
  }).pipe(provide))

it.scopedLive("a hundred requests are answered on one connection, and no more", () =>
  Effect.gen(function*() {
    const socket = yield* connect
    for (let count = 1; count < 100; count++) {
      expect(yield* exchange(socket, "/version")).toContain("Connection: Keep-Alive\r\n")
    }
    expect(yield* exchange(socket, "/version")).toContain("Connection: close\r\n")
    yield* ended(socket)
  }).pipe(provide))

it.scopedLive("pvedaemon's close in front of pveproxy's Keep-Alive leaves the connection open", () =>
  Effect.gen(function*() {
    const front = yield* HttpsFront
    const socket = yield* connect
    const first = yield* exchange(socket, "/nodes/demo-felhom/lxc/9999/status/current")
    expect(first).toMatch(/\r\nConnection: close\r\n(?:.*\r\n)*?Connection: Keep-Alive\r\n/)
    expect(yield* exchange(socket, "/nodes/demo-felhom/lxc")).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
    expect((yield* front.wire).connections).toBe(1)
  }).pipe(provide))

it.scopedLive("a connection on which nobody says anything more is ended by the host", () =>
  Effect.gen(function*() {
    const socket = yield* connect
    yield* exchange(socket, "/version")
    yield* ended(socket)
  }).pipe(provide), 30_000)

const control = (path: string, body?: unknown) =>
  Effect.gen(function*() {
    const { url } = yield* ControlFront
    const response = yield* Effect.promise(() =>
      fetch(`${url}${path}`, body === undefined ? {} : { method: "POST", body: JSON.stringify(body) })
    )
    const answer: unknown = yield* Effect.promise(() => response.json())
    return { status: response.status, answer }
  })

it.scopedLive("who drives a demonstration changes the guests and the certificate from the control port", () =>
  Effect.gen(function*() {
    const front = yield* HttpsFront
    expect((yield* control("/certificates", { serve: "foreign" })).status).toBe(200)
    expect((yield* front.certificates).served).toBe("foreign")
    expect((yield* control("/guests/9999", { status: "running", set: { memory: "512" } })).status).toBe(200)
    expect((yield* ask("GET", `${node}/lxc/9999/status/current`)).data)
      .toMatchObject({ status: "running", maxmem: 512 * 1024 * 1024 })
    expect((yield* control("/roles", { roleid: "FelhomAgent", privs: [] })).status).toBe(200)
    expect((yield* ask("GET", `${node}/lxc/9999/config`)).status).toBe(403)
    expect(yield* control("/guests/1", { status: "running" }))
      .toEqual({ status: 409, answer: { error: "nothing changed: no such guest (1)" } })
    expect((yield* control("/guests/9999", { power: "on" })).status).toBe(400)
    expect((yield* control("/wire")).answer).toMatchObject({ connections: 0 })
    expect((yield* control("/requests")).answer)
      .toContainEqual({ method: "GET", path: `${node}/lxc/9999/config`, count: 1 })
  }).pipe(provide))

it.scopedLive("who drives a demonstration plugs disks in and pulls them out, where the host's root helpers answer", () =>
  Effect.gen(function*() {
    const disk = { path: "/dev/sdb", serial: "BLUE1", uuid: "1741368e-c387-42cc-8971-e25211e7e768" }
    expect((yield* control("/disks", { plug: disk })).status).toBe(200)
    expect((yield* ask("GET", `${node}/disks/list`)).data).toContainEqual(
      expect.objectContaining({ devpath: "/dev/sdb", serial: "BLUE1", health: "PASSED" })
    )
    const { mount } = yield* RootDisks
    expect(yield* mount(JSON.stringify({ action: "list" }))).toContain("/dev/sdb1")
    expect((yield* control("/disks", { plug: { ...disk, path: "/dev/vda" } })).status).toBe(400)
    expect((yield* control("/disks", { pull: "/dev/sdb" })).status).toBe(200)
    expect(yield* mount(JSON.stringify({ action: "list" }))).not.toContain("/dev/sdb1")
  }).pipe(Effect.provide(fronts.pipe(Layer.provideMerge(rootDisks), Layer.provideMerge(PveSim.layer({ secrets }))))))

it.effect("the control port is never opened to a network", () =>
  Effect.gen(function*() {
    const open = ControlFront.layer({ host: "0.0.0.0", port: 0 }).pipe(
      Layer.provide(HttpsFront.layer(loopback)),
      Layer.provide(PveSim.layer())
    )
    const refused = yield* Effect.flip(Effect.scoped(Layer.build(open)))
    expect(refused.message).toContain("a loopback address only")
  }))
