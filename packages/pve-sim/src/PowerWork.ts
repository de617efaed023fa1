import type { Upid } from "@felhom/domain/Upid"
import { Clock, Deferred, Duration, Effect, Fiber } from "effect"
import { lacksBridge } from "./Bridges.ts"
import { applyPending, type Guest, isTemplate, lockOf, setRunning, volumesOf } from "./Guest.ts"
import { type Machine, takeTime } from "./Machine.ts"
import type { Task, TaskFailure, Worker } from "./TaskTable.ts"
import { checkLock, fail, workOn } from "./WorkerChecks.ts"

const prefix = { lxc: "vz", qemu: "qm" } as const

type Power = "start" | "stop" | "shutdown" | "reboot"

/** Forks the worker of a power action; its type is `vzstart`, `qmstop` and so on. */
export const powerTask = (
  machine: Machine,
  target: { readonly type: "lxc" | "qemu"; readonly vmid: number },
  action: Power,
  user: string,
  work: (worker: Worker, guest: Guest) => Effect.Effect<void, TaskFailure>
): Effect.Effect<Upid> =>
  machine.tasks.start({
    type: `${prefix[target.type]}${action}`,
    id: String(target.vmid),
    user,
    work: (worker) => Effect.flatMap(workOn(machine, target), (guest) => work(worker, guest))
  })

/**
 * The worker that asks the HA manager for a state, and ends when it was asked: `hastart` or `hastop`. The manager does it by a task
 * of root's own, some seconds later.
 */
export const haTask = (
  machine: Machine,
  guest: Guest,
  action: "start" | "stop",
  user: string,
  work: (worker: Worker) => Effect.Effect<void, TaskFailure>
): Effect.Effect<Upid> =>
  machine.tasks.start({
    type: `ha${action}`,
    id: String(guest.vmid),
    user,
    work: (worker) =>
      Effect.gen(function*() {
        yield* worker.log(`Requesting HA ${action} for ${guest.type === "lxc" ? "CT" : "VM"} ${guest.vmid}`)
        yield* worker.take("500 millis")
        guest.haState = action === "start" ? "started" : "stopped"
        yield* takeTime(machine, haRound).pipe(
          Effect.zipRight(
            machine.tasks.start({
              type: `${prefix[guest.type]}${action === "start" ? "start" : "shutdown"}`,
              id: String(guest.vmid),
              user: "root@pam",
              work
            })
          ),
          Effect.forkIn(machine.scope)
        )
      })
  })

// One round of the manager, and one of the node's own agent.
const haRound = Duration.seconds(10)

// start and stop let a guest pass that is only mounted (platform-facts 5.8).
const checkLockUnlessMounted = (guest: Guest): Effect.Effect<void, TaskFailure> =>
  Effect.suspend(() => lockOf(guest) === "mounted" ? Effect.void : checkLock(guest))

const startWarnings = (machine: Machine, guest: Guest): ReadonlyArray<string> => {
  const known: { readonly [volid: string]: { readonly startWarning: string } | undefined } = machine.host.volumes
  return volumesOf(guest, guest.file.current).flatMap(({ source }) => known[source]?.startWarning ?? [])
}

// ext4 waits for a while before it trusts that nobody else has the file system mounted.
const mountSlowly = (worker: Worker, guest: Guest): Effect.Effect<void, TaskFailure> =>
  Effect.gen(function*() {
    const mounted = yield* Deferred.make<void>()
    guest.mounting = mounted
    yield* worker.take("45500 millis").pipe(Effect.ensuring(Effect.suspend(() => {
      guest.mounting = undefined
      return Deferred.succeed(mounted, undefined)
    })))
    guest.mountBusy = false
  })

const powersItselfOff = (machine: Machine, guest: Guest): Effect.Effect<void> =>
  Effect.suspend(() => {
    const seconds = guest.firstBootSeconds
    if (seconds === undefined) return Effect.void
    const since = guest.changedAt
    const off = Effect.flatMap(
      Clock.currentTimeMillis,
      // Somebody may have stopped and started it meanwhile.
      (now) => Effect.sync(() => guest.changedAt === since ? setRunning(guest, false, now, 0) : undefined)
    )
    guest.firstBootSeconds = undefined
    return Effect.asVoid(
      Effect.forkIn(Effect.zipRight(takeTime(machine, Duration.seconds(seconds)), off), machine.scope)
    )
  })

const boot = (machine: Machine, worker: Worker, guest: Guest): Effect.Effect<void, TaskFailure> =>
  Effect.gen(function*() {
    applyPending(guest)
    for (const warning of startWarnings(machine, guest)) yield* worker.warn(warning)
    yield* worker.take("200 millis")
    if (volumesOf(guest, guest.file.current).some(({ source }) => guest.hollow.has(source))) {
      yield* worker.log("sync_wait: 34 An error occurred in another process (expected sequence number 7)")
      yield* worker.log(`__lxc_start: 2119 Failed to spawn container "${guest.vmid}"`)
      return yield* fail(`startup for container '${guest.vmid}' failed`)
    }
    if (guest.type === "lxc" && lacksBridge(machine, guest)) {
      yield* worker.log("run_buffer: 571 Script exited with status 2")
      yield* worker.log("lxc_create_network_priv: 3427 Success - Failed to create network device")
      yield* worker.log("lxc_spawn: 1840 Failed to create the network")
      yield* worker.log(`__lxc_start: 2119 Failed to spawn container "${guest.vmid}"`)
      return yield* fail(`startup for container '${guest.vmid}' failed`)
    }
    if (guest.mountBusy) yield* mountSlowly(worker, guest)
    // A guest that is still booting counts as running (platform-facts 1.2), and the task goes on for a moment.
    setRunning(guest, true, yield* Clock.currentTimeMillis, 500 + guest.vmid)
    yield* powersItselfOff(machine, guest)
    yield* worker.take("1200 millis")
  })

/** The work of a start. Two at once both end well: the second finds the guest running (platform-facts 11, item 12). */
export const start = (machine: Machine, worker: Worker, guest: Guest): Effect.Effect<void, TaskFailure> =>
  guest.fileLock.hold(fail, worker)(Effect.gen(function*() {
    if (isTemplate(guest)) {
      return yield* fail(
        guest.type === "lxc" ? "you can't start a CT if it's a template" : "you can't start a vm if it's a template"
      )
    }
    yield* checkLockUnlessMounted(guest)
    if (guest.type === "lxc" && guest.file.current.values.get("unprivileged") === "1") {
      const limited = volumesOf(guest, guest.file.current).some(({ text }) => /(?:^|,)quota=1(?:,|$)/.test(text))
      if (limited) return yield* fail("Quotas are not supported by unprivileged containers.")
    }
    if (guest.running) {
      return guest.type === "lxc" ? undefined : yield* fail(`VM ${guest.vmid} already running`)
    }
    yield* boot(machine, worker, guest)
  }))

/** Starts a guest by a task of its own. */
export const startGuest = (machine: Machine, guest: Guest, user: string): Effect.Effect<Upid> =>
  powerTask(machine, guest, "start", user, (worker, found) => start(machine, worker, found))

const halt = (guest: Guest): Effect.Effect<void> =>
  Effect.map(Clock.currentTimeMillis, (now) => setRunning(guest, false, now, 0))

/** An immediate kill. */
export const stop = (worker: Worker, guest: Guest, overruled: ReadonlyArray<Task>): Effect.Effect<void, TaskFailure> =>
  Effect.gen(function*() {
    if (overruled.length > 0) {
      yield* worker.log(
        `overruled ${prefix[guest.type]}shutdown tasks: ${overruled.map((task) => task.upid).join(", ")}`
      )
      for (const task of overruled) if (task.fiber !== undefined) yield* Fiber.interruptFork(task.fiber)
    }
    yield* guest.fileLock.hold(fail, worker)(Effect.gen(function*() {
      yield* checkLockUnlessMounted(guest)
      if (!guest.running) return
      yield* worker.take("500 millis")
      yield* halt(guest)
    }))
  })

// What a small container needs to shut down when asked.
const shutdownTime = Duration.millis(1500)

const askToStop = (
  worker: Worker,
  guest: Guest,
  options: { readonly timeoutSeconds: number; readonly forceStop: boolean }
): Effect.Effect<void, TaskFailure> =>
  Effect.gen(function*() {
    const patience = Duration.seconds(options.timeoutSeconds)
    if (!guest.stubborn && Duration.lessThanOrEqualTo(shutdownTime, patience)) {
      yield* worker.take(shutdownTime)
      return yield* halt(guest)
    }
    yield* worker.take(patience)
    if (options.forceStop) return yield* halt(guest)
    if (guest.type === "qemu") return yield* fail("VM quit/powerdown failed - got timeout")
    yield* worker.log(
      `command 'lxc-stop -n ${guest.vmid} --nokill --timeout ${options.timeoutSeconds}' failed: exit code 1`
    )
    return yield* fail("container did not stop")
  })

/** Asks the guest to shut down, holding its file lock all the while (platform-facts 5.8). */
export const shutdown = (
  worker: Worker,
  guest: Guest,
  options: { readonly timeoutSeconds: number; readonly forceStop: boolean }
): Effect.Effect<void, TaskFailure> =>
  guest.fileLock.hold(fail, worker)(Effect.gen(function*() {
    yield* checkLock(guest)
    if (guest.running) yield* askToStop(worker, guest, options)
  }))

/** Shutdown, a kill when that takes too long, and start (platform-facts 5.13). */
export const reboot = (
  machine: Machine,
  worker: Worker,
  guest: Guest,
  timeoutSeconds: number
): Effect.Effect<void, TaskFailure> =>
  guest.fileLock.hold(fail, worker)(Effect.gen(function*() {
    yield* checkLock(guest)
    if (guest.running) yield* askToStop(worker, guest, { timeoutSeconds, forceStop: true })
    yield* boot(machine, worker, guest)
  }))
