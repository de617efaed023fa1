import { describe, it } from "@effect/vitest"
import { guestIdentity } from "@felhom/domain/GuestConfig"
import { StorageId, Vmid } from "@felhom/domain/ProxmoxId"
import type { ConsoleChange } from "@felhom/pve-sim/ConsoleChange"
import { PveSim } from "@felhom/pve-sim/PveSim"
import { identityText } from "@felhom/reconciler/plan/Matching"
import { agentPrivileges } from "@felhom/reconciler/Rights"
import { Effect, Either, TestClock } from "effect"
import { expect } from "vitest"
import { boot, golden, goldenConfig, key, onHost, passing, stepFor, worldWith, writes } from "./MakeHost.ts"

const ref = { type: "lxc", vmid: Vmid.make(111) } as const

const change = (what: ConsoleChange) => Effect.flatMap(PveSim, (sim) => Effect.orDie(sim.change(what)))

type Agent = Effect.Effect.Success<ReturnType<typeof boot>>

const isThere = (agent: Agent, vmid = 111) =>
  Effect.map(
    Effect.either(agent.client.guestConfig({ type: "lxc", vmid: Vmid.make(vmid) })),
    Either.isRight
  )

const isMaking = ({ method, path }: { readonly method: string; readonly path: string }): boolean =>
  method === "POST" && path.endsWith("/lxc")

/** Root does something just before the call that makes the guest arrives. */
const before = (sim: typeof PveSim.Service, what: ConsoleChange): ReturnType<typeof boot> => {
  let done = false
  return boot({
    handle: (handle) => (request) => {
      if (done || !isMaking(request)) return handle(request)
      done = true
      return Effect.zipRight(Effect.orDie(sim.change(what)), handle(request))
    }
  })
}

describe("a disk that runs full while it is made", () => {
  it.effect("ends OK with an empty guest, which is found out and removed again before it is started", () =>
    Effect.gen(function*() {
      const agent = yield* before(yield* PveSim, { _tag: "storage.avail", storage: "local", bytes: 0 })
      const end = yield* agent.make(stepFor("golden", { storage: "local" }))
      expect(end).toMatchObject({ end: "failed", ref: null })
      expect(end.detail).toBe(
        "local is full, so that what was written may be lost although its task ended well; it was never started, and is removed again"
      )
      expect(yield* writes).toEqual(["POST /lxc", "DELETE /lxc/111"])
      expect(yield* isThere(agent)).toBe(false)
      expect(yield* agent.record).toBeUndefined()
    }).pipe(Effect.provide(onHost())))

  it.effect("leaves a guest that does not start, which is said with what can be done; its key stays taken", () =>
    Effect.gen(function*() {
      const sim = yield* PveSim
      const agent = yield* boot({
        handle: (handle) => (request) =>
          isMaking(request)
            ? Effect.zipRight(
              Effect.orDie(sim.change({ _tag: "storage.avail", storage: "local", bytes: 0 })),
              handle(request)
            )
            : request.path.endsWith("/storage")
            // Somebody has made room by then.
            ? Effect.zipRight(
              Effect.orDie(sim.change({ _tag: "storage.avail", storage: "local", bytes: 2 ** 36 })),
              handle(request)
            )
            : handle(request)
      })
      const end = yield* agent.make(stepFor("golden", { storage: "local" }))
      expect(end).toMatchObject({ end: "failed", ref })
      expect(end.detail).toContain("CT 111 stands and does not start: startup for container '111' failed")
      expect(end.detail).toContain("felhom op guest.destroy --host demo-felhom --guest lxc/111 --reason 'WHY'")
      expect(yield* isThere(agent)).toBe(true)
      expect(yield* agent.record).toMatchObject({ stage: "starting" })
      expect((yield* agent.make(stepFor("golden", { storage: "local" }))).end).toBe("failed")
      expect((yield* writes).filter((one) => one === "POST /lxc")).toHaveLength(1)
    }).pipe(Effect.provide(onHost())))

  it.effect("fails the task on a storage that notices, and leaves nothing", () =>
    Effect.gen(function*() {
      const agent = yield* before(yield* PveSim, { _tag: "storage.avail", storage: "ctstore", bytes: 0 })
      const end = yield* agent.make(stepFor("golden"))
      expect(end).toMatchObject({ end: "failed", ref: null })
      expect(end.detail).toContain("unable to restore CT 111")
      expect(yield* isThere(agent)).toBe(false)
      expect(yield* agent.record).toBeUndefined()
    }).pipe(Effect.provide(onHost())))
})

describe("a number that somebody takes in between", () => {
  it.effect("is left to them, and another one is chosen", () =>
    Effect.gen(function*() {
      const agent = yield* before(yield* PveSim, {
        _tag: "guest.create",
        vmid: 111,
        type: "lxc",
        config: { hostname: "theirs", storage: "ctstore" }
      })
      expect(yield* agent.make(stepFor("golden"))).toMatchObject({ end: "finished", ref: { vmid: 112 } })
      expect(yield* agent.client.guestConfig(ref)).toMatchObject({ hostname: "theirs" })
      expect((yield* writes).filter((one) => one.includes("/111"))).toEqual([])
    }).pipe(Effect.provide(onHost())))

  it.effect("again and again, is given up", () =>
    Effect.gen(function*() {
      const sim = yield* PveSim
      let vmid = 110
      const agent = yield* boot({
        handle: (handle) => (request) => {
          if (!isMaking(request)) return handle(request)
          vmid += 1
          return Effect.zipRight(
            Effect.orDie(sim.change({ _tag: "guest.create", vmid, type: "lxc", config: { storage: "ctstore" } })),
            handle(request)
          )
        }
      })
      const end = yield* agent.make(stepFor("golden"))
      expect(end).toMatchObject({
        end: "failed",
        detail: "it was not begun: somebody else took each of 5 numbers first"
      })
      expect(yield* agent.record).toBeUndefined()
    }).pipe(Effect.provide(onHost())))

  it.effect("and that the token can't see, is not chosen", () =>
    Effect.gen(function*() {
      yield* change({ _tag: "guest.file", vmid: 111, type: "lxc", text: "hostname: hidden\n", append: false })
      yield* change({
        _tag: "acl.add",
        entry: { path: "/vms/111", type: "token", ugid: "felhom-agent@pve!agent", roleid: "NoAccess", propagate: 1 }
      })
      const agent = yield* boot()
      expect(yield* agent.make(stepFor("golden"))).toMatchObject({ end: "finished", ref: { vmid: 112 } })
      expect((yield* writes).filter((one) => one === "POST /lxc")).toHaveLength(1)
    }).pipe(Effect.provide(onHost())))
})

it.effect("where every number that looks free is taken, nothing is begun, and it is said why", () =>
  Effect.gen(function*() {
    const agent = yield* boot({
      handle: (handle) => (request) =>
        handle(request.path.endsWith("/cluster/nextid") ? { ...request, query: "vmid=9999" } : request)
    })
    const end = yield* agent.make(stepFor("golden"))
    expect(end).toMatchObject({ end: "failed", ref: null })
    expect(end.detail).toContain("every number that looks free belongs to a guest that the token can't see")
    expect(yield* writes).toEqual([])
  }).pipe(Effect.provide(onHost())))

describe("a pool without rights", () => {
  it.effect("is refused by Proxmox, and nothing of it is left", () =>
    Effect.gen(function*() {
      const agent = yield* boot()
      const end = yield* agent.make(stepFor("golden"))
      expect(end).toMatchObject({ end: "failed", ref: null })
      expect(end.detail).toContain("it was not begun:")
      expect(end.detail).toContain("the token lacks Datastore.AllocateSpace on /storage/ctstore")
      expect(yield* agent.record).toBeUndefined()
    }).pipe(Effect.provide(onHost({
      // Whoever may not read an archive gets no further than that, so that right stays.
      roles: { FelhomAgent: agentPrivileges.filter((one) => one !== "Datastore.AllocateSpace") }
    }))))
})

describe("the task that makes it", () => {
  const rule = (outcome: "fail" | "warn" | "vanish", type = "vzrestore") => ({
    faults: [{
      path: "*",
      type,
      skip: 0,
      times: 1,
      chance: 1,
      fault: { _tag: "task" as const, outcome, message: "clock skew" }
    }]
  })

  it.effect("ends with warnings, which are told, and the guest is proven all the same", () =>
    Effect.gen(function*() {
      const end = yield* (yield* boot()).make(stepFor("golden"))
      expect(end).toMatchObject({
        end: "finished",
        detail: "made as CT 111 and seen running, with warnings: WARN: clock skew"
      })
    }).pipe(Effect.provide(onHost(rule("warn")))))

  it.effect("vanishes after its work, and the guest itself says that it is whole", () =>
    Effect.gen(function*() {
      const end = yield* (yield* boot()).make(stepFor("golden"))
      expect(end).toMatchObject({ end: "finished", ref })
      expect(end.detail).toContain("nobody can tell how its task ended")
    }).pipe(Effect.provide(onHost(rule("vanish")))))

  it.effect("fails, and the key can be made again", () =>
    Effect.gen(function*() {
      const agent = yield* boot()
      const end = yield* agent.make(stepFor("golden"))
      expect(end).toMatchObject({ end: "failed", ref: null, detail: "clock skew, and there is no guest of it" })
      expect(yield* agent.record).toBeUndefined()
      expect(yield* agent.make(stepFor("golden"))).toMatchObject({ end: "finished" })
    }).pipe(Effect.provide(onHost(rule("fail")))))

  it.effect("fails, and somebody has written a guest under its number by hand: nobody can tell whose that is", () =>
    Effect.gen(function*() {
      const sim = yield* PveSim
      const agent = yield* boot({
        handle: (handle) => (request) =>
          request.path.endsWith("/lxc/111/config")
            ? Effect.zipRight(
              Effect.orDie(
                sim.change({ _tag: "guest.file", vmid: 111, type: "lxc", text: "hostname: theirs\n", append: false })
              ),
              handle(request)
            )
            : handle(request)
      })
      const end = yield* agent.make(stepFor("golden"))
      expect(end).toMatchObject({ end: "unknown", ref })
      expect(end.detail).toContain("clock skew, and yet CT 111 is there")
      expect(yield* writes).toEqual(["POST /lxc"])
    }).pipe(Effect.provide(onHost(rule("fail")))))

  it.effect("is cut off by a power failure: a locked guest is left, and the line is told by which root clears it", () =>
    Effect.gen(function*() {
      const sim = yield* PveSim
      let begun = false
      const agent = yield* boot({
        handle: (handle) => (request) => {
          const cut = begun ? Effect.orDie(sim.change({ _tag: "node.reboot" })) : Effect.void
          begun = isMaking(request)
          return Effect.zipRight(cut, handle(request))
        }
      })
      const end = yield* agent.make(stepFor("golden"))
      expect(end).toMatchObject({ end: "unknown", ref })
      expect(end.detail).toContain("pct unlock 111 && pct destroy 111")
      expect(yield* agent.record).toMatchObject({ stage: "called" })
      // It is found again, and not touched, as often as it is looked at.
      expect(yield* agent.resume()).toMatchObject({ end: "unknown", ref })
      expect(yield* writes).toEqual(["POST /lxc"])
    }).pipe(Effect.provide(onHost())))

  it.effect("is followed by somebody's own guest under the number, which is left alone", () =>
    Effect.gen(function*() {
      const sim = yield* PveSim
      let looks = 0
      const agent = yield* boot({
        handle: (handle) => (request) => {
          looks += request.path.endsWith("/lxc/111/config") ? 1 : 0
          return looks !== 1 ? handle(request) : Effect.zipRight(
            Effect.all([
              sim.change({ _tag: "guest.destroy", vmid: 111 }),
              sim.change({
                _tag: "guest.create",
                vmid: 111,
                type: "lxc",
                config: { storage: "ctstore", hostname: "theirs" }
              })
            ]).pipe(Effect.orDie),
            handle(request)
          )
        }
      })
      const end = yield* agent.make(stepFor("golden"))
      expect(end).toMatchObject({ end: "failed", ref: null })
      expect(end.detail).toContain("somebody has removed CT 111 since, or put another guest in its place")
      expect(yield* agent.client.guestConfig(ref)).toMatchObject({ hostname: "theirs" })
      expect(yield* writes).toEqual(["POST /lxc"])
    }).pipe(Effect.provide(onHost())))

  it.effect("leaves something else than was asked for, which is removed again", () =>
    Effect.gen(function*() {
      const sim = yield* PveSim
      let looks = 0
      const agent = yield* boot({
        handle: (handle) => (request) => {
          looks += request.path.endsWith("/lxc/111/config") ? 1 : 0
          return looks !== 1
            ? handle(request)
            : Effect.zipRight(
              Effect.orDie(sim.change({ _tag: "guest.set", vmid: 111, key: "hookscript", value: "local:snippets/x" })),
              handle(request)
            )
        }
      })
      const end = yield* agent.make(stepFor("golden"))
      expect(end.detail).toBe("it has hookscript, which reaches beyond it; it was never started, and is removed again")
      expect(yield* isThere(agent)).toBe(false)
    }).pipe(Effect.provide(onHost())))
})

describe("the answer to the call", () => {
  for (const when of ["before", "after"] as const) {
    it.effect(`never comes (${when} the work): the guest is made once, or surely not at all`, () =>
      Effect.gen(function*() {
        const agent = yield* boot()
        const end = yield* agent.make(stepFor("golden"))
        if (when === "after") {
          expect(end).toMatchObject({ end: "finished", ref })
        } else {
          expect(end).toMatchObject({
            end: "failed",
            detail: "it was not begun: no answer came, and there is no task of it"
          })
          expect(yield* agent.record).toBeUndefined()
        }
        // What is answered before the work never came as far as the host.
        expect((yield* writes).filter((one) => one === "POST /lxc")).toHaveLength(when === "after" ? 1 : 0)
      }).pipe(Effect.provide(onHost({
        faults: [{
          method: "POST",
          path: "/nodes/*/lxc",
          type: "*",
          skip: 0,
          times: 1,
          chance: 1,
          fault: { _tag: "answer", status: 596, when }
        }]
      }))))
  }
})

/** A guest of ours that stands by half: its task is over, and the agent stopped before it looked at it. */
const halfMade = Effect.gen(function*() {
  const agent = yield* boot()
  const upid = yield* agent.client.restoreContainer(ref.vmid, {
    archive: golden,
    storage: StorageId.make("local"),
    network: { kind: "fresh-addresses" }
  })
  yield* TestClock.adjust("1 minute")
  const journal = yield* agent.journal
  const intended = { call: "POST /nodes/demo-felhom/lxc", vmid: ref.vmid, taskType: "vzrestore" }
  yield* journal.chosen(key, ref, intended)
  yield* journal.called(key, upid)
  const identity = identityText("lxc", guestIdentity("lxc", yield* agent.client.guestConfig(ref)))
  yield* journal.stands(key, identity)
  return agent
})

describe("a guest that a crash left half-made", () => {
  it.effect("is finished by its record", () =>
    Effect.gen(function*() {
      const agent = yield* halfMade
      expect(yield* agent.resume()).toMatchObject({ end: "finished", ref })
      expect(yield* agent.record).toMatchObject({ stage: "proven" })
    }).pipe(Effect.provide(onHost())))

  it.effect("is removed where it turns out empty", () =>
    Effect.gen(function*() {
      const agent = yield* halfMade
      yield* change({ _tag: "storage.avail", storage: "local", bytes: 0 })
      expect(yield* agent.resume()).toMatchObject({ end: "failed", ref: null })
      expect(yield* isThere(agent)).toBe(false)
      expect(yield* agent.record).toBeUndefined()
    }).pipe(Effect.provide(onHost())))

  it.effect("and can't be removed is left, with what an operator can do", () =>
    Effect.gen(function*() {
      const agent = yield* halfMade
      yield* change({ _tag: "storage.avail", storage: "local", bytes: 0 })
      const end = yield* agent.resume()
      expect(end).toMatchObject({ end: "failed", ref })
      expect(end.detail).toContain("CT 111 is left as it is: it could not be removed: busy")
      expect(end.detail).toContain("felhom op guest.destroy --host demo-felhom --guest lxc/111")
    }).pipe(Effect.provide(onHost({
      faults: [{
        type: "vzdestroy",
        path: "*",
        skip: 0,
        times: 1,
        chance: 1,
        fault: { _tag: "task", outcome: "fail", message: "busy" }
      }]
    }))))

  it.effect("is never removed once somebody has started it, even if it is off again", () =>
    Effect.gen(function*() {
      const agent = yield* halfMade
      yield* change({ _tag: "storage.avail", storage: "local", bytes: 0 })
      yield* change({ _tag: "guest.status", vmid: 111, status: "running" })
      expect((yield* agent.resume()).detail).toContain("CT 111 is left as it is: it runs by now")
      yield* change({ _tag: "guest.status", vmid: 111, status: "stopped" })
      const end = yield* agent.resume()
      expect(end).toMatchObject({ end: "failed", ref })
      expect(end.detail).toContain("CT 111 is left as it is: somebody has started it since")
      expect((yield* writes).filter((one) => one.startsWith("DELETE"))).toEqual([])
    }).pipe(Effect.provide(onHost())))

  it.effect("is never removed where somebody has put another one in its place, though that looks the same", () =>
    Effect.gen(function*() {
      const agent = yield* halfMade
      const config = yield* agent.client.guestConfig(ref)
      yield* change({ _tag: "guest.destroy", vmid: 111 })
      yield* change({
        _tag: "guest.create",
        vmid: 111,
        type: "lxc",
        config: { storage: "local", rootfs: "local:1", net0: String(config["net0"]) }
      })
      yield* change({ _tag: "storage.avail", storage: "local", bytes: 0 })
      const end = yield* agent.resume()
      expect(end).toMatchObject({ end: "failed", ref })
      expect(end.detail).toContain("CT 111 is left as it is: somebody has put another guest in its place")
      expect((yield* writes).filter((one) => one.startsWith("DELETE"))).toEqual([])
    }).pipe(Effect.provide(onHost())))

  it.effect("is somebody else's once it has other addresses, and is left alone", () =>
    Effect.gen(function*() {
      const agent = yield* halfMade
      yield* change({ _tag: "guest.set", vmid: 111, key: "net0", value: "name=eth0,bridge=vmbr0" })
      expect(yield* agent.resume()).toMatchObject({
        end: "failed",
        ref: null,
        detail: "CT 111 is another guest now; somebody has changed it since it was made"
      })
      yield* change({ _tag: "guest.destroy", vmid: 111 })
      expect((yield* agent.resume()).detail).toContain("CT 111 is not there any more")
      expect(yield* agent.record).toMatchObject({ stage: "half-made" })
    }).pipe(Effect.provide(onHost())))

  it.effect("is waited for while somebody backs it up, and not for ever", () =>
    Effect.gen(function*() {
      const agent = yield* halfMade
      yield* change({ _tag: "guest.set", vmid: 111, key: "lock", value: "backup" })
      const end = yield* agent.resume()
      expect(end).toMatchObject({ end: "unknown", detail: "CT 111 stays locked (backup)" })
      yield* change({ _tag: "guest.set", vmid: 111, key: "lock", value: null })
      expect(yield* agent.resume()).toMatchObject({ end: "finished" })
    }).pipe(Effect.provide(onHost())))

  it.effect("and was being removed is not removed twice: what has its number now may be somebody's", () =>
    Effect.gen(function*() {
      const agent = yield* halfMade
      const journal = yield* agent.journal
      const config = yield* agent.client.guestConfig(ref)
      const destruction = { op: "guest.destroy", guest: ref, unreferencedDisks: false } as const
      yield* journal.ownMade(key, destruction, identityText("lxc", guestIdentity("lxc", config)))
      yield* agent.kill
      const again = yield* boot({ disk: agent.model.present() })
      const end = yield* again.resume()
      expect(end).toMatchObject({ end: "unknown", ref })
      expect(end.detail).toContain("CT 111 was being removed when the agent stopped")
      yield* change({ _tag: "guest.destroy", vmid: 111 })
      expect(yield* again.resume()).toMatchObject({
        end: "failed",
        detail: "it was made by half, and is removed again"
      })
      expect(yield* again.record).toBeUndefined()
    }).pipe(Effect.provide(onHost())))

  it.effect("that is on no record is nobody's, and nothing is begun for it", () =>
    Effect.gen(function*() {
      const agent = yield* boot()
      expect(yield* agent.resume()).toMatchObject({ end: "failed", detail: "nothing of it is on record" })
      const intended = { call: "POST /nodes/demo-felhom/lxc", vmid: ref.vmid, taskType: "vzrestore" }
      yield* (yield* agent.journal).chosen(key, ref, intended)
      expect(yield* agent.resume()).toMatchObject({
        end: "failed",
        detail: "it was not begun: the agent stopped before its call"
      })
      expect(yield* writes).toEqual([])
    }).pipe(Effect.provide(onHost())))
})

describe("its first start", () => {
  const starting = (fault: object) => ({
    faults: [{ type: "vzstart", path: "*", skip: 0, times: 1, chance: 1, fault: fault as never }]
  })
  it.effect("vanishes, and it runs: that is the proof", () =>
    Effect.gen(function*() {
      expect(yield* (yield* boot()).make(stepFor("golden"))).toMatchObject({ end: "finished" })
    }).pipe(Effect.provide(onHost(starting({ _tag: "task", outcome: "vanish", message: "lost" })))))

  it.effect("fails once, and is asked for again when it is looked at again", () =>
    Effect.gen(function*() {
      const agent = yield* boot()
      expect(yield* agent.make(stepFor("golden"))).toMatchObject({ end: "failed", ref })
      expect(yield* agent.make(stepFor("golden"))).toMatchObject({ end: "finished", ref })
      expect((yield* writes).filter((one) => one === "POST /lxc")).toHaveLength(1)
    }).pipe(Effect.provide(onHost(starting({ _tag: "task", outcome: "fail", message: "no" })))))

  it.effect("is refused, and the guest is left with what the token lacks", () =>
    Effect.gen(function*() {
      const end = yield* (yield* boot()).make(stepFor("golden"))
      expect(end).toMatchObject({ end: "failed", ref })
      expect(end.detail).toContain("CT 111 stands and does not start")
      expect(end.detail).toContain("the token lacks VM.PowerMgmt on /vms/111")
    }).pipe(Effect.provide(onHost({
      roles: { FelhomAgent: agentPrivileges.filter((one) => one !== "VM.PowerMgmt") }
    }))))

  it.effect("was somebody else's, who was quicker: it runs, and that is the proof", () =>
    Effect.gen(function*() {
      const sim = yield* PveSim
      const agent = yield* boot({
        handle: (handle) => (request) =>
          request.path.endsWith("/status/start")
            ? Effect.zipRight(
              Effect.orDie(sim.change({ _tag: "guest.status", vmid: 111, status: "running" })),
              handle(request)
            )
            : handle(request)
      })
      expect(yield* agent.make(stepFor("golden"))).toMatchObject({ end: "finished", ref })
    }).pipe(Effect.provide(onHost())))

  for (const when of ["before", "after"] as const) {
    it.effect(`is asked for, and the answer never comes (${when} the work)`, () =>
      Effect.gen(function*() {
        const end = yield* (yield* boot()).make(stepFor("golden"))
        expect(end.end).toBe(when === "after" ? "finished" : "unknown")
        expect((yield* writes).filter((one) => one.endsWith("/status/start"))).toHaveLength(when === "after" ? 1 : 0)
      }).pipe(Effect.provide(onHost({
        faults: [{
          method: "POST",
          path: "*/status/start",
          type: "*",
          skip: 0,
          times: 1,
          chance: 1,
          fault: { _tag: "answer", status: 596, when }
        }]
      }))))
  }
})

it.effect("a thin pool whose books are full takes no new guest, and nothing of it is left", () =>
  Effect.gen(function*() {
    const agent = yield* boot()
    yield* change({ _tag: "storage.metadata", storage: "thin", used: 2 ** 40 })
    const end = yield* agent.make(stepFor("golden", { storage: "thin" }))
    expect(end).toMatchObject({ end: "failed", ref: null })
    expect(end.detail).toContain("free space in thin pool pve/data reached threshold")
    expect(yield* agent.record).toBeUndefined()
  }).pipe(Effect.provide(onHost({
    world: worldWith(goldenConfig, (world) => ({
      ...world,
      storages: [
        ...world.storages,
        { storage: "thin", type: "lvmthin", vgname: "pve", thinpool: "data", content: "images,rootdir" }
      ],
      storage_status: [
        ...world.storage_status,
        { storage: "thin", total: 2 ** 37, used: 2 ** 33, avail: 2 ** 37 - 2 ** 33, active: 1, enabled: 1, shared: 0 }
      ]
    }))
  }))))

it.effect("a guest is not begun where its number can't be written down", () =>
  Effect.gen(function*() {
    const agent = yield* boot()
    yield* agent.record
    agent.model.fault = { step: agent.model.steps(), code: "EIO", half: false }
    const end = yield* passing(agent.make(stepFor("golden")))
    expect(end).toMatchObject({ end: "failed", ref: null })
    expect(end.detail).toContain("it was not begun:")
    expect(yield* writes).toEqual([])
  }).pipe(Effect.provide(onHost())))
