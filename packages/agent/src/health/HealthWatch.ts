import type { Health } from "@felhom/domain/Health"
import { emptyBook, HealthBook, type HealthChange, inDoubt, looked, type Sighting } from "@felhom/domain/HealthBook"
import { healthOf } from "@felhom/domain/HealthLines"
import type { DurableFile } from "@felhom/domain/port/DurableFile"
import { type Section, sectionOk, sectionUnavailable } from "@felhom/domain/Section"
import { now } from "@felhom/domain/Time"
import { makeKeptDocument } from "@felhom/durable/KeptDocument"
import { type NewEvent, StateFile } from "@felhom/durable/StateFile"
import { Privileged } from "@felhom/privileged/Privileged"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import type { Observation } from "@felhom/reconciler/Observation"
import { Cause, Context, Deferred, Effect, Option, Random, Ref } from "effect"
import { diskSightings } from "./DiskSightings.ts"
import { sensorSightings, storageSightings } from "./OtherSightings.ts"
import { storagesOnDisks } from "./StoragesOnDisks.ts"

/** What looks after the host's health, beside the loop and never in its way. */
export class HealthWatch extends Context.Tag("felhom/agent/HealthWatch")<HealthWatch, {
  /** What the loop has just seen; nothing is asked for it. */
  readonly saw: (observation: Observation) => Effect.Effect<void>
  readonly section: Effect.Effect<Section<Health>>
  /** Asks the disks now, and answers once they have. */
  readonly look: Effect.Effect<Section<Health>>
  /** Looks every few hours, sooner while there is doubt. Never ends. */
  readonly run: Effect.Effect<never>
}>() {}

type Needs = Privileged | ProxmoxClient | StateFile | DurableFile

/** After a start, between two looks, and between two while something was seen that is not yet believed. Seconds. */
export const healthPauses = { first: 120, usual: 4 * 3600, doubt: 15 * 60 } as const

const dayMillis = 86_400_000

const words: { readonly [kind in Sighting["kind"]]: string } = {
  disk: "disk",
  sensor: "sensor",
  storage: "storage",
  "disk-set": "set of disks"
}

// Never critical: what is wrong stays in the report for as long as it is, and calls for somebody there; an event would once more.
const eventOf = ({ from, subject }: HealthChange): NewEvent => ({
  kind: "health.changed",
  severity: subject.state === "warn" || subject.state === "fail" ? "warning" : "info",
  subject: subject.name.slice(0, 256),
  message: `${words[subject.kind]} ${subject.name}${
    subject.id === subject.name ? "" : ` (${subject.id})`
  }: ${from} -> ${subject.state}${subject.reasons.length === 0 ? "" : `: ${subject.reasons.join("; ")}`}`.slice(0, 2000)
})

/** That something is well or can't be looked at for the first time is no news. */
const isNews = ({ from, subject }: HealthChange): boolean =>
  subject.state === "warn" || subject.state === "fail" || from === "warn" || from === "fail" ||
  subject.state === "unknown"

/**
 * Watches over the disks, sensors and storages that the loop sees; `more` is what others have to say of theirs. What it remembers is kept
 * in the folder; where that can't be, it goes on from memory.
 */
export const make = (
  folder: string,
  more: Effect.Effect<ReadonlyArray<Sighting>>
): Effect.Effect<typeof HealthWatch.Service, never, Needs> =>
  Effect.gen(function*() {
    const context = yield* Effect.context<Needs>()
    const privileged = yield* Privileged
    const client = yield* ProxmoxClient
    const state = yield* StateFile
    const kept = yield* makeKeptDocument({
      path: `${folder.replace(/\/+$/, "")}/health.json`,
      schema: HealthBook,
      understand: () => Effect.void
    })
    const latest = yield* Ref.make<Observation | undefined>(undefined)
    const told = yield* Ref.make<Section<Health>>(
      sectionUnavailable("the agent has begun just now, and has not looked yet")
    )
    const book = yield* Ref.make<HealthBook | undefined>(undefined)
    const firstSeen = yield* Deferred.make<void>()
    const one = yield* Effect.makeSemaphore(1)

    const read = Effect.match(kept.current, {
      onFailure: () => emptyBook,
      onSuccess: Option.getOrElse(() => emptyBook)
    })
    const remembered = Effect.filterOrElse(Ref.get(book), (held) => held !== undefined, () => read)

    const placement = Effect.gen(function*() {
      const list = yield* privileged.mount({ action: "list" })
      const configs = yield* client.storageConfig
      return storagesOnDisks(list.action === "list" ? list.devices : [], configs.rows)
    }).pipe(
      // Then each is told by itself.
      Effect.catchAll(({ message }) =>
        Effect.as(
          Effect.logDebug("which storages stand on which disks is not known", message),
          new Map<string, never>()
        )
      )
    )

    const gather = (observation: Observation, before: HealthBook, day: number) =>
      Effect.gen(function*() {
        const { disks, storages } = observation.inventory
        const { storage } = observation.sections
        const temperatures = observation.samples.temperatures
        const on = yield* placement
        return [
          ...(disks.state === "ok"
            ? yield* diskSightings(disks.value, before, day, (path) => on.get(path) ?? [])
            : []),
          ...(temperatures.state === "ok" ? sensorSightings(temperatures.value) : []),
          ...(storages.state === "ok"
            ? storageSightings(storages.value, storage.state === "ok" ? storage.value : [], before, day)
            : []),
          ...yield* more
        ]
      })

    const look = Effect.gen(function*() {
      const observation = yield* Ref.get(latest)
      if (observation === undefined) return yield* Ref.get(told)
      const before = yield* remembered
      const at = yield* now
      const after = looked(before, yield* gather(observation, before, Math.floor(at / dayMillis)), at)
      yield* Ref.set(book, after.book)
      const section = sectionOk(at, healthOf(after.book, at))
      yield* Ref.set(told, section)
      yield* state.record(after.changes.filter(isNews).map(eventOf))
      yield* Effect.catchAll(
        kept.change(() => Effect.succeed(after.book)),
        (error) => Effect.logWarning("what is known of the host's health can't be kept", error.message)
      )
      return section
    }).pipe(one.withPermits(1), Effect.provide(context))

    const run = Effect.gen(function*() {
      yield* Deferred.await(firstSeen)
      yield* Effect.sleep(`${healthPauses.first} seconds`)
      return yield* Effect.forever(Effect.gen(function*() {
        yield* Effect.catchAllCause(look, (cause) =>
          Cause.isInterruptedOnly(cause)
            ? Effect.failCause(cause)
            : Effect.logError("the host's health could not be looked at", cause))
        const held = yield* Ref.get(book)
        const seconds = held !== undefined && inDoubt(held) ? healthPauses.doubt : healthPauses.usual
        yield* Effect.sleep(`${Math.round(seconds * (0.9 + 0.2 * (yield* Random.next)))} seconds`)
      }))
    })

    return {
      saw: (observation) =>
        Effect.zipRight(Ref.set(latest, observation), Effect.asVoid(Deferred.succeed(firstSeen, undefined))),
      section: Ref.get(told),
      look,
      run
    }
  })
