import { describe, it } from "@effect/vitest"
import { decodeGolden } from "@felhom/domain/GoldenManifest"
import { Vmid } from "@felhom/domain/ProxmoxId"
import { PrivilegedError } from "@felhom/privileged/Privileged"
import { PveSim } from "@felhom/pve-sim/PveSim"
import { Effect, Either, TestClock } from "effect"
import { expect } from "vitest"
import { makeHost } from "../op/SignedHost.ts"
import { passing } from "../pursuit/PursuedHost.ts"
import {
  archives,
  builder,
  built,
  filesOf,
  foreignTemplate,
  freshGuests,
  name,
  onHost,
  orderFor,
  recordOf,
  renamedTemplate,
  template
} from "./GoldenHost.ts"

const manifestIn = (draft: string | null) => Either.getOrThrow(decodeGolden(new TextEncoder().encode(draft ?? "")))

describe("a golden image", () => {
  it.effect("is built from a template: made by root's hand, booted once, backed up and protected, and its container goes", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot(undefined, { archiveBytes: filesOf(host) })
      const build = yield* built(agent)
      expect(build).toMatchObject({ stage: "done", said: "", running: false })
      expect(yield* freshGuests(host)).toEqual([])
      const [archive, ...others] = yield* archives(host)
      expect(others).toEqual([])
      expect(archive).toMatchObject({
        volid: build.volid,
        protected: true,
        notes: `felhom golden image debian-13 version 1, from ${template}`
      })
      expect(manifestIn(build.draft)).toMatchObject({
        name: "debian-13",
        version: 1,
        volid: build.volid,
        size: archive?.size,
        bytes: { sha256: "a".repeat(64) },
        template
      })
      expect(manifestIn(build.draft).config).toContain("features: keyctl=1,nesting=1")
      const node = "/nodes/demo-felhom"
      expect(yield* host.writes).toEqual([
        `POST ${node}/lxc/${build.vmid}/status/start`,
        `POST ${node}/vzdump`,
        `DELETE ${node}/lxc/${build.vmid}`
      ])
    }).pipe(Effect.provide(onHost)))

  it.effect("whose bytes nobody can read says so in its manifest", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      const { draft } = yield* built(agent)
      expect(manifestIn(draft).bytes).toEqual({ unread: expect.stringContaining("this program reads no archives") })
    }).pipe(Effect.provide(onHost)))

  it.effect("has a higher version each time, and only one is built at once", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      yield* built(agent)
      expect(yield* passing(Effect.flip(builder(agent, ({ build }) => build(orderFor()))))).toMatchObject({
        message: "golden image debian-13: version 1 of it is known here already; give this one a higher number; " +
          "felhom-agent golden list shows what was accepted here"
      })
      expect(yield* built(agent, { version: 2 })).toMatchObject({ stage: "done" })
      yield* passing(builder(agent, ({ build }) => build(orderFor({ version: 3 }))))
      const other = orderFor({ name: "other" })
      expect(yield* passing(Effect.flip(builder(agent, ({ build }) => build(other))))).toMatchObject({
        message: expect.stringContaining("another image is being built (debian-13)")
      })
      expect(yield* passing(Effect.flip(builder(agent, ({ build }) => build(orderFor({ version: 4 })))))).toMatchObject(
        {
          message: expect.stringContaining("resume or discard it first")
        }
      )
      expect(yield* passing(Effect.flip(builder(agent, ({ discard }) => discard(name))))).toMatchObject({
        message: expect.stringContaining("it is being built now")
      })
      yield* passing(builder(agent, ({ quiet }) => quiet), "1 second")
    }).pipe(Effect.provide(onHost)))
})

describe("nothing is begun", () => {
  for (
    const [what, change, why] of [
      [
        "from a template that is not there",
        { template: "local:vztmpl/gone.tar.zst" },
        "there is no template local:vztmpl/gone.tar.zst on this host"
      ],
      [
        "from a template of another architecture",
        { template: foreignTemplate },
        `the template ${foreignTemplate} is for arm64, and this host is amd64; take the amd64 one`
      ],
      ["on a storage that is not there", { storage: "gone" }, "this host has no storage gone"],
      ["on a storage that takes no backups", { backupStorage: "ctstore" }, "the storage ctstore takes no backups"],
      ["on a storage without the room", { rootGiB: 900 }, "and its root volume may take 900 GiB"]
    ] as const
  ) {
    it.effect(what, () =>
      Effect.gen(function*() {
        const host = yield* makeHost
        const agent = yield* host.boot()
        const refused = yield* passing(Effect.flip(builder(agent, ({ build }) => build(orderFor(change)))))
        expect(refused.message).toContain(`golden image debian-13: `)
        expect(refused.message).toContain(why)
        expect(yield* host.writes).toEqual([])
        expect(yield* freshGuests(host)).toEqual([])
      }).pipe(Effect.provide(onHost)))
  }

  it.effect("while the host is held, and what is under way stops at its next step", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      yield* passing(builder(agent, ({ build }) => build(orderFor())))
      yield* agent.hold("a look at the disk")
      yield* passing(builder(agent, ({ quiet }) => quiet), "1 second")
      expect(yield* recordOf(agent)).toMatchObject({
        said: "the host is held (a look at the disk); release it, then resume the build"
      })
      expect(yield* passing(Effect.flip(builder(agent, ({ resume }) => resume(name))))).toMatchObject({
        message: expect.stringContaining("the host is held since")
      })
      yield* agent.release
      yield* passing(builder(agent, ({ resume }) => resume(name)))
      yield* passing(builder(agent, ({ quiet }) => quiet), "1 second")
      expect(yield* recordOf(agent)).toMatchObject({ stage: "done" })
      expect((yield* host.writes).filter((one) => one.endsWith("/status/start"))).toHaveLength(1)
    }).pipe(Effect.provide(onHost)))
})

describe("what goes wrong is said", () => {
  it.effect("where the root side can't be asked, and nothing stands", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const none = () => new PrivilegedError({ verb: "pctCreate", reason: "unavailable", detail: "connect ENOENT" })
      const agent = yield* host.boot(undefined, { rootSide: { pctCreate: none, mount: none, smart: none } })
      expect(yield* built(agent)).toMatchObject({
        stage: "failed",
        said: "no container was made: root side, pctCreate: unavailable: connect ENOENT"
      })
      expect(yield* host.writes).toEqual([])
    }).pipe(Effect.provide(onHost)))

  it.effect("where the container turns out to be for another architecture, and it is removed, never started", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot(undefined, { architecture: "riscv64" })
      expect(yield* built(agent, { template: renamedTemplate })).toMatchObject({
        stage: "failed",
        said:
          "the container was not fit for an image: its template is for amd64, and this host is riscv64: take the riscv64 one; " +
          "it was never started, and is removed"
      })
      expect(yield* freshGuests(host)).toEqual([])
      expect((yield* host.writes).filter((one) => one.endsWith("/status/start"))).toEqual([])
    }).pipe(Effect.provide(onHost)))

  it.effect("where the container was changed before its first start, and it is removed", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const sim = yield* PveSim
      const agent = yield* host.boot(undefined, {
        rootSide: {
          ...host.rootSide,
          pctCreate: (request) =>
            Effect.tap(
              host.rootSide.pctCreate(request),
              Effect.orDie(
                sim.change({ _tag: "guest.set", vmid: request.vmid, key: "hookscript", value: "local:snippets/x" })
              )
            )
        }
      })
      expect(yield* built(agent)).toMatchObject({
        stage: "failed",
        said: expect.stringContaining(
          "it has hookscript, which reaches beyond it; it was never started, and is removed"
        )
      })
    }).pipe(Effect.provide(onHost)))

  it.effect("where the number was taken by somebody else meanwhile, whose guest is left alone", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const sim = yield* PveSim
      const agent = yield* host.boot(undefined, {
        rootSide: {
          ...host.rootSide,
          pctCreate: (request) =>
            Effect.zipRight(
              Effect.orDie(
                sim.change({ _tag: "guest.create", vmid: request.vmid, type: "lxc", config: { hostname: "hers" } })
              ),
              host.rootSide.pctCreate(request)
            )
        }
      })
      const build = yield* built(agent)
      expect(build).toMatchObject({
        stage: "failed",
        said: expect.stringContaining("is not the one that was asked for, and is left alone")
      })
      expect(yield* freshGuests(host)).toEqual([{ vmid: build.vmid, status: "stopped" }])
      expect(yield* passing(builder(agent, ({ discard }) => discard(name)))).toBe("the build of debian-13 is forgotten")
      expect(yield* freshGuests(host)).toEqual([{ vmid: build.vmid, status: "stopped" }])
    }).pipe(Effect.provide(onHost)))

  it.effect("where pct left it locked half-made, which root alone can clear", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const sim = yield* PveSim
      const agent = yield* host.boot(undefined, {
        rootSide: {
          ...host.rootSide,
          pctCreate: (request) =>
            host.rootSide.pctCreate(request).pipe(
              Effect.zipRight(
                Effect.orDie(sim.change({ _tag: "guest.set", vmid: request.vmid, key: "lock", value: "create" }))
              ),
              Effect.zipRight(new PrivilegedError({ verb: "pctCreate", reason: "failed", detail: "exit code 255" }))
            )
        }
      })
      const { said, stage, vmid } = yield* built(agent)
      expect([stage, said]).toEqual([
        "failed",
        `CT ${vmid} was made by half (OK) and is locked, which no token can clear; ` +
        `root does on the host: pct unlock ${vmid} && pct destroy ${vmid}`
      ])
      expect(yield* host.writes).toEqual([])
    }).pipe(Effect.provide(onHost)))

  it.effect("where root's task did not end well, whatever stands and whatever pct said", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const sim = yield* PveSim
      const agent = yield* host.boot(undefined, {
        proxmox: host.proxmoxThrough((request) =>
          Effect.map(sim.handle(request), (answer) =>
            /vzcreate.*\/status$/.test(decodeURIComponent(request.path))
              ? {
                ...answer,
                body: new TextEncoder().encode(
                  new TextDecoder().decode(answer.body).replace(/"exitstatus":"OK"/, `"exitstatus":"no space left"`)
                )
              }
              : answer)
        )
      })
      const build = yield* built(agent)
      expect(build).toMatchObject({ stage: "failed", identity: null })
      expect(build.said).toMatch(
        /^CT \d+ stands, and the task that made it did not end well \(no space left; UPID:.*\); root does on the host: pct destroy \d+$/
      )
      expect((yield* host.writes).filter((one) => one.endsWith("/status/start"))).toEqual([])
    }).pipe(Effect.provide(onHost)))

  it.effect("where nobody can tell which container pct made", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot(undefined, {
        rootSide: { ...host.rootSide, pctCreate: () => Effect.succeed({ output: [] }) }
      })
      expect(yield* built(agent)).toMatchObject({
        stage: "failed",
        said: expect.stringContaining("the token sees no task of it: does its role have Sys.Audit? look at CT 100")
      })
    }).pipe(Effect.provide(onHost)))

  it.effect("and an answer of the root side's that was lost leads to the image all the same", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot(undefined, {
        rootSide: {
          ...host.rootSide,
          pctCreate: (request) =>
            Effect.zipRight(
              host.rootSide.pctCreate(request),
              new PrivilegedError({ verb: "pctCreate", reason: "unavailable", detail: "no answer in time" })
            )
        }
      })
      expect(yield* built(agent)).toMatchObject({ stage: "done" })
    }).pipe(Effect.provide(onHost)))

  it.effect("where it does not start, and what it was is removed when the build is discarded", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      const build = yield* built(agent, { bridge: "vmbr9" })
      expect(build).toMatchObject({
        stage: "failed",
        said: `CT ${build.vmid} does not start: startup for container '${build.vmid}' failed`
      })
      yield* passing(builder(agent, ({ discard }) => discard(name)), "1 second")
      expect(yield* freshGuests(host)).toEqual([])
      expect(yield* passing(Effect.flip(builder(agent, ({ resume }) => resume(name))))).toMatchObject({
        message: expect.stringContaining("no build of it is on record")
      })
    }).pipe(Effect.provide(onHost)))

  it.effect("where its archive has another size as a file than Proxmox says", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const files = filesOf(host)
      const agent = yield* host.boot(undefined, {
        archiveBytes: { read: (path) => Effect.map(files.read(path), (found) => ({ ...found, size: found.size - 1 })) }
      })
      expect(yield* built(agent)).toMatchObject({
        stage: "failed",
        draft: null,
        said: expect.stringMatching(/^local:backup\/\S+ has \d+ bytes here, and local says \d+$/)
      })
      expect(yield* passing(Effect.flip(builder(agent, ({ resume }) => resume(name))))).toMatchObject({
        message: expect.stringContaining("its build is failed; build a new version")
      })
    }).pipe(Effect.provide(onHost)))

  it.effect("where its first boot does not power it off, and the build waits to be resumed or discarded", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const sim = yield* PveSim
      const agent = yield* host.boot()
      const build = yield* built(agent, { template: renamedTemplate, firstBootMinutes: 2 })
      expect(build).toMatchObject({
        stage: "starting",
        said: expect.stringContaining(`CT ${build.vmid} still runs after 2 min: its first boot did not power it off`)
      })
      yield* passing(builder(agent, ({ resume }) => resume(name)))
      yield* TestClock.adjust("10 seconds")
      yield* sim.change({ _tag: "guest.status", vmid: build.vmid, status: "stopped" })
      yield* passing(builder(agent, ({ quiet }) => quiet), "1 second")
      expect(yield* recordOf(agent)).toMatchObject({ stage: "done" })
      expect((yield* host.writes).filter((one) => one.endsWith("/status/start"))).toHaveLength(1)
    }).pipe(Effect.provide(onHost)))

  it.effect("where its first boot does not power it off, and a discarded build's container goes", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      yield* built(agent, { template: renamedTemplate, firstBootMinutes: 2 })
      expect(yield* passing(builder(agent, ({ discard }) => discard(name)), "1 second")).toBe(
        "the build of debian-13 is forgotten"
      )
      expect(yield* freshGuests(host)).toEqual([])
      expect(yield* builder(agent, ({ all }) => all)).toEqual([])
    }).pipe(Effect.provide(onHost)))

  it.effect("where somebody started it again, since its keys would be every guest's", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const sim = yield* PveSim
      const agent = yield* host.boot(undefined, {
        proxmox: host.proxmoxThrough((request) =>
          request.method === "POST" && request.path.endsWith("/vzdump")
            ? Effect.gen(function*() {
              // The lowest number that is free on this host.
              const vmid = 100
              yield* Effect.orDie(sim.change({ _tag: "guest.status", vmid, status: "running" }))
              yield* Effect.orDie(sim.change({ _tag: "guest.status", vmid, status: "stopped" }))
              return yield* sim.handle(request)
            })
            : sim.handle(request)
        )
      })
      const build = yield* built(agent)
      expect(build).toMatchObject({
        stage: "failed",
        draft: null,
        said: `somebody has started CT ${build.vmid} again (2 starts), so ${build.volid} is no golden image`
      })
      expect(yield* passing(Effect.flip(builder(agent, ({ build }) => build(orderFor({ version: 2 })))))).toMatchObject(
        {
          message: expect.stringContaining(`the build before has left CT ${build.vmid} behind; discard it first`)
        }
      )
      expect(yield* passing(builder(agent, ({ discard }) => discard(name)), "1 second")).toBe(
        `the build of debian-13 is forgotten; its archive ${build.volid} stays, protected`
      )
      expect(yield* freshGuests(host)).toEqual([])
    }).pipe(Effect.provide(onHost)))

  it.effect("where its backup fails, and it is asked for again when the build is resumed", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const sim = yield* PveSim
      const agent = yield* host.boot()
      yield* passing(builder(agent, ({ build }) => build(orderFor())))
      yield* sim.change({ _tag: "storage.avail", storage: "local", bytes: 0 })
      yield* passing(builder(agent, ({ quiet }) => quiet), "1 second")
      expect(yield* recordOf(agent)).toMatchObject({
        stage: "booted",
        said: expect.stringContaining("its backup was not done: ")
      })
      yield* sim.change({ _tag: "storage.avail", storage: "local", bytes: 50_000_000_000 })
      yield* passing(builder(agent, ({ resume }) => resume(name)))
      yield* passing(builder(agent, ({ quiet }) => quiet), "1 second")
      expect(yield* recordOf(agent)).toMatchObject({ stage: "done" })
    }).pipe(Effect.provide(onHost)))

  it.effect("where the container is another guest by then, which is left alone", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const sim = yield* PveSim
      const agent = yield* host.boot()
      const build = yield* built(agent, { template: renamedTemplate, firstBootMinutes: 1 })
      yield* sim.change({ _tag: "guest.destroy", vmid: build.vmid })
      yield* sim.change({
        _tag: "guest.create",
        vmid: Vmid.make(build.vmid),
        type: "lxc",
        config: { hostname: "hers", net0: "name=eth0,bridge=vmbr0" }
      })
      yield* passing(builder(agent, ({ resume }) => resume(name)))
      yield* passing(builder(agent, ({ quiet }) => quiet), "1 second")
      expect(yield* recordOf(agent)).toMatchObject({
        stage: "failed",
        said: `CT ${build.vmid} is another guest by now, which is left alone`
      })
      expect(yield* passing(Effect.flip(builder(agent, ({ discard }) => discard(name))))).toMatchObject({
        message: expect.stringContaining("is left as it is: it is another guest by now")
      })
      expect(yield* freshGuests(host)).toHaveLength(1)
    }).pipe(Effect.provide(onHost)))
})
