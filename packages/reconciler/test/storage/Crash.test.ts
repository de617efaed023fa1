import { describe, it } from "@effect/vitest"
import { DurableFile } from "@felhom/domain/port/DurableFile"
import { Privileged } from "@felhom/privileged/Privileged"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import * as RootDisks from "@felhom/pve-sim/RootDisks"
import * as HostStorageKeeper from "@felhom/reconciler/storage/HostStorageKeeper"
import { Effect, Exit } from "effect"
import * as TestClock from "effect/TestClock"
import { expect } from "vitest"
import { blue, keeping, red, rotation, started, TestHost } from "./SimulatedDisks.ts"

/** The n-th of all steps that leave the daemon is its last: it is done, or it is not, and nobody hears of it. */
class Death {
  left = Infinity
  readonly before: boolean

  constructor(steps: number, before: boolean) {
    this.left = steps
    this.before = before
  }

  readonly step = <A, E, R>(work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.suspend(() => {
      this.left -= 1
      if (this.left > 0) return work
      if (this.left < 0) return Effect.die("it is dead already")
      return this.before ? Effect.die("killed before") : Effect.zipRight(work, Effect.die("killed after"))
    })
}

/** A daemon's life over that host, which ends at some step. */
const mortal = (host: TestHost, death: Death) =>
  Effect.gen(function*() {
    const { mount, ...root } = yield* Privileged
    const client = yield* ProxmoxClient
    const files = yield* DurableFile
    return yield* HostStorageKeeper.make("/state", host.secretOf).pipe(
      Effect.provideService(Privileged, { ...root, mount: (request) => death.step(mount(request)) }),
      Effect.provideService(DurableFile, {
        ...files,
        replace: (path, content) => death.step(files.replace(path, content))
      }),
      Effect.provideService(ProxmoxClient, {
        ...client,
        createStorage: (storage) => death.step(client.createStorage(storage)),
        updateStorage: (storage, change) => death.step(client.updateStorage(storage, change))
      })
    )
  })

const mountedAt = Effect.flatMap(RootDisks.RootDisks, ({ mount }) => mount(JSON.stringify({ action: "list" })))

describe("a daemon that is killed while it looks after disks", () => {
  for (const before of [true, false]) {
    it.effect(`${before ? "before" : "after"} any step of a mount leaves nothing that the next one does not set right`, () =>
      Effect.gen(function*() {
        let deaths = 0
        for (let steps = 1; steps < 60; steps++) {
          const host = new TestHost()
          host.storage = rotation
          const ended = yield* Effect.gen(function*() {
            const { plug, set, status } = yield* keeping(host)
            yield* plug(blue)
            const life = yield* mortal(host, new Death(steps, before))
            const exit = yield* Effect.exit(life.now)
            yield* TestClock.adjust("1 minute")
            expect(yield* set, `step ${steps}`).toMatchObject({ state: "ready" })
            expect(yield* status("usb-backup"), `step ${steps}`).toMatchObject({ active: true, enabled: true })
            return Exit.isSuccess(exit)
          }).pipe(Effect.provide(started(host)))
          if (ended) break
          deaths += 1
        }
        expect(deaths).toBeGreaterThan(6)
      }))

    it.effect(`${before ? "before" : "after"} any step of an ejection leaves the disk mounted and in use, or ejected`, () =>
      Effect.gen(function*() {
        let deaths = 0
        for (let steps = 1; steps < 60; steps++) {
          const host = new TestHost()
          host.storage = rotation
          const ended = yield* Effect.gen(function*() {
            const { plug, pull, set, status } = yield* keeping(host)
            yield* plug(blue)
            yield* set
            const life = yield* mortal(host, new Death(steps, before))
            const exit = yield* Effect.exit(life.eject("backup"))
            yield* TestClock.adjust("1 minute")
            const after = yield* set
            const isMounted = (yield* mountedAt).includes("/mnt/felhom/backup")
            expect(after.state, `step ${steps}`).toBe(isMounted ? "ready" : "ejected")
            expect(yield* status("usb-backup"), `step ${steps}`).toMatchObject({
              active: isMounted,
              enabled: isMounted
            })
            // Unplugged, the next one's turn comes, whatever was left.
            yield* pull(blue.path)
            yield* set
            yield* plug(red)
            yield* set
            expect(yield* set, `step ${steps}`).toMatchObject({ state: "ready" })
            return Exit.isSuccess(exit)
          }).pipe(Effect.provide(started(host)))
          if (ended) break
          deaths += 1
        }
        expect(deaths).toBeGreaterThan(2)
      }))
  }
})
