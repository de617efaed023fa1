import { type DiskSight, judgeDisk } from "@felhom/domain/DiskHealth"
import type { DayPoint, HealthBook, Sighting } from "@felhom/domain/HealthBook"
import type { StorageId } from "@felhom/domain/ProxmoxId"
import type { Disk } from "@felhom/domain/Storage"
import { Privileged } from "@felhom/privileged/Privileged"
import { DiskDevice, type SmartResult } from "@felhom/privileged/Smart"
import { Effect, Schema } from "effect"

const isDevice = Schema.is(DiskDevice)

/** What a disk is known by: its serial, for a letter may be another's after a restart. */
const idOf = ({ devicePath, serial }: Disk): string => serial === null || serial === "" ? devicePath : serial

const pointsOf = (book: HealthBook, id: string): ReadonlyArray<DayPoint> =>
  book.subjects.find((subject) => subject.kind === "disk" && subject.id === id)?.points ?? []

const judged = (
  disk: Disk,
  answer: SmartResult,
  book: HealthBook,
  day: number
): Pick<Sighting, "state" | "reasons" | "point" | "asleep"> => {
  if (answer.action !== "smart") return { state: "unknown", reasons: ["the root helper answered another question"] }
  switch (answer.state) {
    case "asleep":
      return { state: "unknown", reasons: ["it sleeps, and is not woken for this"], asleep: true }
    case "skipped":
      return { state: "unknown", reasons: [answer.why] }
    case "silent":
      return {
        state: "warn",
        reasons: [
          `it did not answer within ${answer.seconds} s, as a dying disk or one with a bad cable does: look at dmesg, and ` +
          "save what is on it"
        ]
      }
    case "read": {
      const { celsius, passed, reading } = answer
      const sight: DiskSight = { passed, celsius, reading, lifeLeft: disk.wearout }
      const used = reading.used ?? (disk.wearout === null ? null : 100 - disk.wearout)
      const point = { day, counters: reading.counters, used }
      const history = pointsOf(book, idOf(disk)).flatMap((one) => "counters" in one && one.day !== day ? [one] : [])
      return { ...judgeDisk(sight, [...history, point], day), point }
    }
  }
}

/** What Proxmox VE says of a disk that can't be asked over the root side: its own word counts where it is a bad one. */
const withoutSmart = ({ health }: Disk, why: string): Pick<Sighting, "state" | "reasons"> =>
  /^FAIL/i.test(health)
    ? { state: "fail", reasons: [`Proxmox VE says ${health} of it: save what is on it, and replace it`] }
    : { state: "unknown", reasons: [why] }

/**
 * Asks the disks one after the other over the root side, and judges each. One that is late or can't be asked holds up this and nothing
 * else. `day` in days since 1970; `storagesOn` tells what stands on a disk.
 */
export const diskSightings = (
  disks: ReadonlyArray<Disk>,
  book: HealthBook,
  day: number,
  storagesOn: (devicePath: string) => ReadonlyArray<StorageId>
): Effect.Effect<ReadonlyArray<Sighting>, never, Privileged> =>
  Effect.forEach(disks, (disk) =>
    Effect.gen(function*() {
      const of = {
        kind: "disk" as const,
        id: idOf(disk),
        name: disk.devicePath,
        storages: storagesOn(disk.devicePath)
      }
      if (!isDevice(disk.devicePath)) {
        return {
          ...of,
          ...withoutSmart(disk, `of ${disk.devicePath} smartctl is not asked: no kind of disk that is known here`)
        }
      }
      const { smart } = yield* Privileged
      return yield* Effect.match(smart({ action: "smart", device: disk.devicePath }), {
        onFailure: (error) => ({ ...of, ...withoutSmart(disk, error.message) }),
        onSuccess: (answer) => ({ ...of, ...judged(disk, answer, book, day) })
      })
    }))
