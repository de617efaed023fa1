import { Effect } from "effect"
import { ApiFailure, badParameters, died } from "../ApiFailure.ts"
import { isSet, numberOf, textOf, vmidOf } from "../CallParameters.ts"
import { all, type Call, type Endpoint } from "../Endpoint.ts"
import * as Formats from "../Formats.ts"
import type { Schema } from "../ParameterSchema.ts"
import { haTask, powerTask, reboot, shutdown, start, stop } from "../PowerWork.ts"

type GuestType = "lxc" | "qemu"

// What only a migration's other end says when it starts a machine.
const ofMigrations: Schema = {
  stateuri: Formats.text(128),
  migratedfrom: Formats.optional(Formats.node),
  migration_type: Formats.choice("secure", "insecure"),
  migration_network: Formats.text(),
  machine: Formats.text(),
  "force-cpu": Formats.text(),
  targetstorage: Formats.text(),
  "with-conntrack-state": Formats.flag
}

const isRunning = (call: Call, type: GuestType): boolean => {
  const guest = call.machine.guests.get(vmidOf(call))
  return guest !== undefined && guest.type === type && guest.running
}

// Only the user root@pam may; no token is that, not even root's own (platform-facts 3.1).
const refuseSkiplock = (call: Call) =>
  textOf(call, "skiplock") === "1"
    ? Effect.fail(badParameters({ skiplock: "Only root may use this option." }))
    : Effect.void

const power = (
  type: GuestType,
  action: "start" | "stop" | "shutdown" | "reboot" | "suspend" | "resume",
  parameters: Schema,
  handle: Endpoint["handle"]
): Endpoint => ({
  method: "POST",
  path: `/nodes/{node}/${type}/{vmid}/status/${action}`,
  permission: all("/vms/{vmid}", "VM.PowerMgmt"),
  protected: true,
  parameters: { node: Formats.node, vmid: Formats.vmid, ...parameters },
  handle
})

/** The guest, if the HA manager looks after it; then it is asked instead. */
const haGuest = (call: Call, type: GuestType) => {
  const guest = call.machine.guests.get(vmidOf(call))
  return guest?.type === type && guest.haState !== undefined && guest.haState !== "ignored" ? guest : undefined
}

const target = (call: Call, type: GuestType) => ({ type, vmid: vmidOf(call) })

const answer = <A extends string, E>(upid: Effect.Effect<A, E>) => Effect.map(upid, (data) => ({ data }))

const starting = (type: GuestType): Endpoint =>
  power(
    type,
    "start",
    type === "lxc"
      ? { skiplock: Formats.flag, debug: Formats.flag }
      : { skiplock: Formats.flag, timeout: Formats.integer(0), ...ofMigrations },
    (call) =>
      Effect.gen(function*() {
        yield* refuseSkiplock(call)
        if (type === "lxc" && isRunning(call, type)) return yield* died(`CT ${vmidOf(call)} already running`)
        const managed = haGuest(call, type)
        if (managed !== undefined) {
          return yield* answer(
            haTask(
              call.machine,
              managed,
              "start",
              call.identity.id,
              (worker) => start(call.machine, worker, managed)
            )
          )
        }
        return yield* answer(
          powerTask(
            call.machine,
            target(call, type),
            "start",
            call.identity.id,
            (worker, guest) => start(call.machine, worker, guest)
          )
        )
      })
  )

const stopping = (type: GuestType): Endpoint =>
  power(type, "stop", {
    skiplock: Formats.flag,
    "overrule-shutdown": Formats.flag,
    ...(type === "lxc"
      ? {}
      : { timeout: Formats.integer(0), keepActive: Formats.flag, migratedfrom: Formats.optional(Formats.node) })
  }, (call) =>
    Effect.gen(function*() {
      yield* refuseSkiplock(call)
      if (type === "lxc" && !isRunning(call, type)) return yield* died(`CT ${vmidOf(call)} not running`)
      const managed = haGuest(call, type)
      if (managed !== undefined) {
        return yield* answer(
          haTask(call.machine, managed, "stop", call.identity.id, (worker) => stop(worker, managed, []))
        )
      }
      const shutdowns = isSet(call, "overrule-shutdown")
        ? call.machine.tasks.all.filter((task) =>
          task.endTime === undefined && task.parts.id === String(vmidOf(call)) &&
          task.parts.type === (type === "lxc" ? "vzshutdown" : "qmshutdown")
        )
        : []
      return yield* answer(
        powerTask(
          call.machine,
          target(call, type),
          "stop",
          call.identity.id,
          (worker, guest) => stop(worker, guest, shutdowns)
        )
      )
    }))

const shuttingDown = (type: GuestType): Endpoint =>
  power(
    type,
    "shutdown",
    {
      timeout: Formats.integer(0),
      forceStop: Formats.flag,
      ...(type === "lxc" ? {} : { skiplock: Formats.flag, keepActive: Formats.flag })
    },
    (call) =>
      Effect.gen(function*() {
        yield* refuseSkiplock(call)
        if (type === "lxc" && !isRunning(call, type)) return yield* died(`CT ${vmidOf(call)} not running`)
        const managed = haGuest(call, type)
        const options = { timeoutSeconds: numberOf(call, "timeout", 60), forceStop: isSet(call, "forceStop") }
        if (managed !== undefined) {
          return yield* answer(
            haTask(
              call.machine,
              managed,
              "stop",
              call.identity.id,
              (worker) => shutdown(worker, managed, { ...options, forceStop: true })
            )
          )
        }
        return yield* answer(
          powerTask(
            call.machine,
            target(call, type),
            "shutdown",
            call.identity.id,
            (worker, guest) => shutdown(worker, guest, options)
          )
        )
      })
  )

const rebooting = (type: GuestType): Endpoint =>
  power(type, "reboot", { timeout: Formats.integer(0) }, (call) =>
    Effect.gen(function*() {
      // Proxmox says VM here for containers, too (platform-facts 5.13).
      if (!isRunning(call, type)) return yield* died(`VM ${vmidOf(call)} not running`)
      return yield* answer(
        powerTask(call.machine, target(call, type), "reboot", call.identity.id, (worker, guest) =>
          reboot(call.machine, worker, guest, numberOf(call, "timeout", 60)))
      )
    }))

// CRIU is not played; what is refused before it is asked is.
const checkpoint = (action: "suspend" | "resume"): Endpoint =>
  power("lxc", action, {}, (call) => {
    const running = isRunning(call, "lxc")
    if (running === (action === "resume")) {
      return Effect.fail(died(`CT ${vmidOf(call)} ${running ? "already" : "not"} running`))
    }
    return Effect.fail(
      new ApiFailure({ status: 501, message: `pve-sim does not simulate the ${action} of a container by CRIU` })
    )
  })

/** Start, stop, shutdown, reboot (platform-facts 5.13). */
export const endpoints: ReadonlyArray<Endpoint> = [
  ...(["lxc", "qemu"] as const).flatMap((type) => [
    starting(type),
    stopping(type),
    shuttingDown(type),
    rebooting(type)
  ]),
  checkpoint("suspend"),
  checkpoint("resume")
]
