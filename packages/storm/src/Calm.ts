import * as Console from "@felhom/pve-sim/Console"
import { Effect } from "effect"
import { honest } from "./Hub.ts"
import { mended } from "./Mishaps.ts"
import type { Stage } from "./Stage.ts"

/** Everything is as it should be from now on: what is left behind is cleared up, as people do in the end. */
export const calmDown = (stage: Stage): void => {
  stage.calm = true
  stage.armed = undefined
  stage.disk.condition = "sound"
  stage.disk.failsAfter = undefined
  stage.hubBackAt = 0
  stage.hub.lies = honest
  stage.hub.interval = 60
  Object.assign(stage.way, { deaf: 0, closed: 0, foreign: 0, slow: 0 })
  stage.hubForeign = 0
  stage.timeline.offset = 0
  stage.machine.faults.replace([], 0)
  stage.ledger.note("calm")
  const cleared = Effect.gen(function*() {
    for (const name of ["pvedaemon", "pmxcfs"] as const) {
      yield* Console.apply(stage.machine, { _tag: "service.set", name, running: true })
    }
    for (const change of mended(stage)) yield* Effect.ignore(Console.apply(stage.machine, change))
    for (const { vmid } of stage.machine.guests.values()) {
      yield* Console.apply(stage.machine, { _tag: "guest.set", vmid, key: "lock", value: null })
    }
    for (const task of stage.machine.tasks.all) {
      if (task.endTime === undefined) yield* stage.machine.tasks.kill(task)
    }
  })
  stage.begin(Effect.ignore(cleared))
}
