import { displayText } from "@felhom/domain/DisplayText"
import type { Section } from "@felhom/domain/Section"
import { StateFile } from "@felhom/durable/StateFile"
import { HubClient } from "@felhom/hub-client/HubClient"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import type { Observation } from "@felhom/reconciler/Observation"
import { Observer } from "@felhom/reconciler/Observer"
import { Clock, Data, Effect } from "effect"
import { makeReport } from "../Report.ts"
import { Checklist } from "./Checklist.ts"
import { rightsStep } from "./SelftestRead.ts"

/** The observation came, but not as it has to be. */
class NotAsNeeded extends Data.TaggedError("NotAsNeeded")<{ readonly message: string }> {}

/** A hub and a host whose clocks differ by more than this will disagree about what is expired. */
const clockTolerance = 120_000

const count = (section: Section<ReadonlyArray<unknown>>): string =>
  section.state === "ok" ? String(section.value.length) : "unknown"

/** What a report can't do without. Backups, temperatures and the like are noted, not demanded. */
const unreadable = ({ inventory, samples }: Observation): ReadonlyArray<string> =>
  Object.entries({
    guests: inventory.guests,
    storages: inventory.storages,
    disks: inventory.disks,
    "the node's load": samples.node
  }).flatMap(([name, section]) => (section.state === "ok" ? [] : [`${name}: ${section.reason}`]))

const collect = Effect.gen(function*() {
  const observer = yield* Observer
  const observation = yield* observer.observe
  if (observation.proxmox.state !== "ok") return yield* new NotAsNeeded({ message: observation.proxmox.reason })
  const problems = unreadable(observation)
  if (problems.length > 0) return yield* new NotAsNeeded({ message: problems.join("\n") })
  return observation
})

/** One look at the host and one report of it, which the hub shows but never takes for the host's state. */
export const selftestHub = (bootId: string | null) =>
  Effect.gen(function*() {
    const checklist = yield* Checklist
    const client = yield* ProxmoxClient
    const hub = yield* HubClient
    const state = yield* StateFile
    const observation = yield* checklist.step("collect", collect, ({ inventory }) =>
      `${count(inventory.guests)} guests, ${count(inventory.storages)} storages, ${count(inventory.disks)} disks`)
    if (observation.samples.temperatures.state !== "ok") {
      yield* checklist.note("temperatures", displayText(observation.samples.temperatures.reason))
    }
    const report = yield* makeReport({
      reporter: { ...state.host, node: client.node, bootId },
      observation,
      sequence: null,
      events: [],
      eventsDropped: 0,
      held: null
    })
    const envelope = yield* checklist.step("report", hub.exchange(report), ({ nextReportSeconds }) =>
      `the hub took it for host ${report.host.id} and expects one every ${nextReportSeconds} s`)
    const skew = envelope.serverTime - (yield* Clock.currentTimeMillis)
    yield* checklist.step(
      "clock",
      Math.abs(skew) <= clockTolerance
        ? Effect.succeed(skew)
        : new NotAsNeeded({
          message: `the hub's clock is ${Math.round(skew / 1000)} s off this host's: check both (timedatectl)`
        }),
      (off) =>
        `within ${Math.max(1, Math.round(Math.abs(off) / 1000))} s of the hub's`
    )
    yield* rightsStep
  })
