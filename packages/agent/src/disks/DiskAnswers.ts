import { HostStorageKeeper } from "@felhom/reconciler/storage/HostStorageKeeper"
import { Effect } from "effect"
import { HealthWatch } from "../health/HealthWatch.ts"
import type { DiskRequest } from "./DisksProtocol.ts"

/** What the daemon answers about disks and health. */
export const diskAnswered = (request: DiskRequest) =>
  Effect.gen(function*() {
    const keeper = yield* HostStorageKeeper
    switch (request.ask) {
      case "disks.list":
        return { ok: true, message: "", disks: yield* keeper.now }
      case "disks.eject":
        return { ok: true, message: yield* keeper.eject(request.name) }
      case "disks.adopt":
        return { ok: true, message: yield* keeper.adopt(request.disk) }
      case "health.show": {
        const health = yield* HealthWatch
        const section = yield* (request.now ? health.look : health.section)
        return section.state === "ok"
          ? { ok: true, message: "", health: section.value }
          : { ok: true, message: `the host's health is not known: ${section.reason}` }
      }
    }
  })
