import { Effect } from "effect"
import { ApiFailure, died } from "../ApiFailure.ts"
import { isSet, required, textOf } from "../CallParameters.ts"
import { all, anyone, type Call, type Endpoint, may, missing } from "../Endpoint.ts"
import * as Formats from "../Formats.ts"
import { isTemplate, lockOf, nameOf } from "../Guest.ts"
import { splitList } from "../ParameterSchema.ts"
import { startGuest } from "../PowerWork.ts"
import type { Worker } from "../TaskTable.ts"
import { fail } from "../WorkerChecks.ts"
import { asJson } from "./Node.ts"

const jobs: Endpoint = {
  method: "GET",
  path: "/cluster/backup",
  permission: all("/", "Sys.Audit"),
  protected: false,
  parameters: {},
  handle: (call) => Effect.sync(() => ({ data: call.machine.backupJobs.map(asJson) }))
}

const job: Endpoint = {
  method: "GET",
  path: "/cluster/backup/{id}",
  permission: all("/", "Sys.Audit"),
  protected: false,
  parameters: { id: { type: "string", maxLength: 50 } },
  handle: (call) => {
    const found = call.machine.backupJobs.find((one) => one["id"] === required(call, "id"))
    return found === undefined
      ? Effect.fail(died(`No such job '${required(call, "id")}'`))
      : Effect.succeed({ data: asJson(found) })
  }
}

// The agent's role can't get this far, and nothing else asks for it.
const writeJob = (method: "POST" | "PUT" | "DELETE"): Endpoint => ({
  method,
  path: method === "POST" ? "/cluster/backup" : "/cluster/backup/{id}",
  permission: all("/", "Sys.Modify"),
  protected: true,
  parameters: {
    ...(method === "POST" ? {} : { id: { type: "string" } as const }),
    ...Object.fromEntries(
      ["schedule", "storage", "vmid", "mode", "compress", "comment", "enabled", "prune-backups", "node", "all", "pool"]
        .map((name) => [name, Formats.text()])
    )
  },
  handle: () =>
    Effect.fail(
      new ApiFailure({ status: 501, message: "pve-sim does not simulate changing backup jobs; give them in the world" })
    )
})

const notBackedUp: Endpoint = {
  method: "GET",
  path: "/cluster/backup-info/not-backed-up",
  permission: all("/", "Sys.Audit"),
  protected: true,
  parameters: {},
  handle: (call) =>
    Effect.sync(() => {
      // In no job at all; it says nothing about archives (platform-facts 1.4).
      const jobsOfAll = call.machine.backupJobs
      const covered = (vmid: number): boolean =>
        jobsOfAll.some((one) =>
          String(one["all"] ?? "0") === "1"
            ? !splitList(String(one["exclude"] ?? "")).includes(String(vmid))
            : splitList(String(one["vmid"] ?? "")).includes(String(vmid))
        )
      return {
        data: Array.from(call.machine.guests.values())
          .filter(({ vmid }) => !covered(vmid) && may(call, `/vms/${vmid}`, "VM.Audit"))
          .map((guest) => ({ vmid: guest.vmid, name: nameOf(guest), type: guest.type }))
      }
    })
}

/** A backup lock that nobody holds any more is removed, unless a backup runs: then it stays, without a warning. */
const removeStaleLocks = (call: Call, worker: Worker, vmids: ReadonlyArray<number>) =>
  call.machine.vzdumpLock.hold(fail, worker, {
    patience: "10 seconds",
    waiting: "trying to acquire lock...",
    got: " OK"
  })(
    Effect.gen(function*() {
      for (const vmid of vmids) {
        const guest = call.machine.guests.get(vmid)
        if (guest === undefined || lockOf(guest) !== "backup") continue
        guest.file.current.values.delete("lock")
        yield* worker.log(`removed left over backup lock from '${vmid}'!`)
      }
    })
  ).pipe(Effect.ignore)

const startupOf = (text: string | undefined, key: string): number | undefined => {
  const value = new RegExp(`(?:^|,)${key}=(\\d+)`).exec(text ?? "")?.[1]
  return value === undefined ? undefined : Number(value)
}

const startAllWork = (call: Call, worker: Worker, asked: ReadonlyArray<number> | undefined) =>
  Effect.gen(function*() {
    const { machine } = call
    const guests = Array.from(machine.guests.values()).filter(({ vmid }) => asked?.includes(vmid) ?? true)
    yield* removeStaleLocks(call, worker, guests.map(({ vmid }) => vmid))
    const order = (startup: string | undefined): number => startupOf(startup, "order") ?? Number.MAX_SAFE_INTEGER
    const wanted = guests
      .filter((guest) =>
        !guest.running && !isTemplate(guest) &&
        (isSet(call, "force") || guest.file.current.values.get("onboot") === "1")
      )
      .toSorted((a, b) =>
        order(a.file.current.values.get("startup")) - order(b.file.current.values.get("startup")) || a.vmid - b.vmid
      )
    for (const [at, guest] of wanted.entries()) {
      // A lock that is not a backup's stays, and so the guest stays off.
      if (lockOf(guest) !== undefined) continue
      yield* worker.log(`Starting ${guest.type === "lxc" ? "CT" : "VM"} ${guest.vmid}`)
      const upid = yield* startGuest(machine, guest, call.identity.id)
      while (machine.tasks.find(upid)?.endTime === undefined) yield* worker.take("100 millis")
      const up = startupOf(guest.file.current.values.get("startup"), "up")
      if (up !== undefined && at < wanted.length - 1) {
        yield* worker.log(`Waiting for ${up} seconds (startup delay)`)
        yield* worker.take(up * 1000)
      }
    }
  })

const startAll: Endpoint = {
  method: "POST",
  path: "/nodes/{node}/startall",
  permission: anyone,
  protected: true,
  parameters: {
    node: Formats.node,
    vms: { type: "string", optional: true, format: Formats.vmidList },
    force: Formats.flag,
    "max-workers": Formats.integer(1, 64)
  },
  handle: (call) =>
    Effect.gen(function*() {
      const { identity, machine } = call
      const vms = textOf(call, "vms")
      const asked = vms === undefined ? undefined : splitList(vms).map(Number)
      const onAll = missing(machine, identity, "/", ["VM.PowerMgmt"])
      if (onAll !== undefined && asked === undefined) return yield* onAll
      for (const vmid of onAll === undefined ? [] : asked ?? []) {
        const refused = missing(machine, identity, `/vms/${vmid}`, ["VM.PowerMgmt"])
        if (refused !== undefined) return yield* refused
      }
      const data = yield* machine.tasks.start({
        type: "startall",
        id: "",
        user: identity.id,
        work: (worker) => startAllWork(call, worker, asked)
      })
      return { data }
    })
}

/** Backup jobs, and starting all guests at once, which also clears stale backup locks (platform-facts 1.4, 4.5). */
export const endpoints: ReadonlyArray<Endpoint> = [
  jobs,
  job,
  writeJob("POST"),
  writeJob("PUT"),
  writeJob("DELETE"),
  notBackedUp,
  startAll
]
