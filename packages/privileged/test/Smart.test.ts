import { describe, it } from "@effect/vitest"
import type { DiskDevice, SmartRequest } from "@felhom/privileged/Smart"
import { smart } from "@felhom/privileged/SmartDirect"
import { Effect } from "effect"
import * as TestClock from "effect/TestClock"
import { expect } from "vitest"
import { type Answer, commands, type Ran } from "./ModelHost.ts"

const disk = "/dev/sda" as DiskDevice
const sensors: SmartRequest = { action: "sensors" }
const ofDisk: SmartRequest = { action: "smart", device: disk }

const ask = (request: SmartRequest, answer: Answer, ran: Array<Ran> = []) =>
  Effect.provide(smart(request), commands(() => answer, ran))

const said = (fields: object): string =>
  JSON.stringify({ json_format_version: [1, 0], smartctl: { exit_status: 0 }, ...fields })

describe("a disk that is asked for its SMART", () => {
  it.effect("says how it is, and what smartctl's exit status warns of in words", () =>
    Effect.gen(function*() {
      const stdout = said({ smart_status: { passed: false }, temperature: { current: 52 } })
      expect(yield* ask(ofDisk, { exitCode: 8 + 64, stdout })).toEqual({
        action: "smart",
        device: disk,
        state: "read",
        passed: false,
        celsius: 52,
        warnings: ["the disk says that it is failing: save what is on it", "its error log has entries"],
        reading: {
          serial: null,
          model: null,
          exit: 72,
          rotates: null,
          counters: {
            reallocated: null,
            pending: null,
            uncorrectable: null,
            reported: null,
            timeouts: null,
            media: null
          },
          criticalWarning: null,
          spare: null,
          spareThreshold: null,
          used: null,
          hours: null,
          celsiusWarning: null,
          celsiusCritical: null
        }
      })
      expect(yield* ask(ofDisk, { exitCode: 0, stdout: said({}) })).toMatchObject({ passed: null, celsius: null })
    }))

  const reading = (fields: object, exitCode = 0) =>
    Effect.map(ask(ofDisk, { exitCode, stdout: said(fields) }), (result) => {
      if (result.action !== "smart" || result.state !== "read") throw new Error("it was not read")
      return result.reading
    })

  it.effect("says what an ATA disk counts, by the first of the numbers that its maker packs together", () =>
    Effect.gen(function*() {
      const table = [
        { id: 5, name: "Reallocated_Sector_Ct", raw: { value: 8_590_065_674, string: "10 (1 2)" } },
        { id: 187, raw: { value: 3, string: "3" } },
        { id: 188, raw: { value: 4_295_032_833, string: "1 1 1" } },
        { id: 194, raw: { value: 38, string: "38 (Min/Max 20/45)" } },
        { id: 197, raw: { value: 8 } },
        { id: 198, raw: { value: -1 } }
      ]
      expect(
        yield* reading({
          serial_number: "WD-WCC4N0123456",
          model_name: "WDC WD40EFRX",
          rotation_rate: 5400,
          power_on_time: { hours: 41_000 },
          temperature: { current: 38, op_limit_max: 60 },
          ata_smart_attributes: { revision: 16, table }
        }, 64)
      ).toMatchObject({
        serial: "WD-WCC4N0123456",
        rotates: true,
        exit: 64,
        hours: 41_000,
        celsiusCritical: 60,
        counters: { reallocated: 10, pending: 8, uncorrectable: null, reported: 3, timeouts: 1, media: null }
      })
    }))

  it.effect("says what an NVMe disk and a SCSI disk count, in their own words", () =>
    Effect.gen(function*() {
      expect(
        yield* reading({
          rotation_rate: 0,
          nvme_smart_health_information_log: {
            critical_warning: 4,
            available_spare: 9,
            available_spare_threshold: 10,
            percentage_used: 104,
            media_errors: 12
          },
          nvme_composite_temperature_threshold: { warning: 83, critical: 85 }
        })
      ).toMatchObject({
        criticalWarning: 4,
        spare: 9,
        spareThreshold: 10,
        used: 104,
        rotates: false,
        celsiusWarning: 83,
        celsiusCritical: 85,
        counters: { media: 12, reallocated: null }
      })
      expect(
        yield* reading({
          scsi_grown_defect_list: 7,
          scsi_error_counter_log: { read: { total_uncorrected_errors: 2 }, write: { total_uncorrected_errors: 1 } },
          temperature: { current: 30, drive_trip: 65 }
        })
      ).toMatchObject({ celsiusCritical: 65, counters: { reallocated: 7, uncorrectable: 3 } })
    }))

  it.effect("is not woken for it, and is told as asleep and not as broken", () =>
    Effect.gen(function*() {
      const ran: Array<Ran> = []
      expect(yield* ask(ofDisk, { exitCode: 3 }, ran)).toEqual({ action: "smart", device: disk, state: "asleep" })
      expect(ran[0]?.argv).toContain("--nocheck=standby,3")
      expect(yield* Effect.flip(ask(ofDisk, { exitCode: 2, stdout: "open device failed" }))).toMatchObject({
        reason: "failed",
        detail: "/usr/sbin/smartctl ended with 2: open device failed"
      })
    }))

  it.effect("is passed over with the reason when it is virtual, or hides its SMART", () =>
    Effect.gen(function*() {
      const ran: Array<Ran> = []
      const virtio = { action: "smart", device: "/dev/vda" as DiskDevice } as const
      expect(yield* ask(virtio, { exitCode: 0 }, ran)).toMatchObject({
        state: "skipped",
        why: expect.stringContaining("virtio")
      })
      expect(ran).toEqual([])
      for (const fields of [{ scsi_vendor: "QEMU" }, { model_name: "VBOX HARDDISK" }]) {
        const stdout = said({ ...fields, smart_support: { available: false } })
        expect(yield* ask(ofDisk, { exitCode: 4, stdout })).toMatchObject({
          state: "skipped",
          why: expect.stringContaining("virtual disk")
        })
      }
      expect(yield* ask(ofDisk, { exitCode: 4, stdout: said({ smart_support: { available: false } }) })).toMatchObject({
        state: "skipped",
        why: expect.stringContaining("has no SMART")
      })
    }))

  it.effect("that answers in a form that is not known is malformed, whatever it said", () =>
    Effect.gen(function*() {
      const odd = [
        "",
        "{}",
        "[]",
        "null",
        "smartctl 5.41",
        "{\"smartctl\":1}",
        said({ temperature: 40 }),
        said({ ata_smart_attributes: { table: [{ id: 5, raw: 3 }] } }),
        "\u0000"
      ]
      for (const stdout of odd) {
        expect(yield* Effect.flip(ask(ofDisk, { exitCode: 0, stdout })), stdout).toMatchObject({
          reason: "malformed",
          detail: expect.stringContaining("/usr/sbin/smartctl answered in a form that is not known here")
        })
      }
    }))

  it.effect("that is dying and does not answer for 10 s is told as what it is, and not waited for", () =>
    Effect.gen(function*() {
      const asked = yield* Effect.fork(ask(ofDisk, "hangs"))
      yield* TestClock.adjust("10 seconds")
      expect(yield* asked).toEqual({ action: "smart", device: disk, state: "silent", seconds: 10 })
    }))

  it.effect("needs programs that a host may not have, and then names the package", () =>
    Effect.gen(function*() {
      expect(yield* Effect.flip(ask(ofDisk, "absent"))).toMatchObject({
        reason: "unavailable",
        detail: "there is no /usr/sbin/smartctl on this host: apt install smartmontools"
      })
      expect(yield* Effect.flip(ask(sensors, "absent"))).toMatchObject({
        reason: "unavailable",
        detail: "there is no /usr/bin/sensors on this host: apt install lm-sensors"
      })
    }))
})

describe("a board's sensors", () => {
  it.effect("are read one by one, and what is no temperature is left out", () =>
    Effect.gen(function*() {
      const stdout = JSON.stringify({
        "nct6798-isa-0290": {
          Adapter: "ISA adapter",
          SYSTIN: { temp1_input: 33, temp1_max: 80, temp1_crit: 0 },
          CPUTIN: { temp2_input: 71, temp2_crit: 100 },
          fan1: { fan1_input: 900 },
          odd: { temp2_input: "hot" },
          "evil\n\u001b[31m": { temp3_input: 40 }
        },
        broken: 7
      })
      expect(yield* ask(sensors, { exitCode: 0, stdout })).toEqual({
        action: "sensors",
        temperatures: [
          { sensor: "nct6798-isa-0290 SYSTIN", celsius: 33 },
          { sensor: "nct6798-isa-0290 CPUTIN", celsius: 71, critical: 100 },
          { sensor: "nct6798-isa-0290 evil\\n\\u001b[31m", celsius: 40 }
        ]
      })
    }))

  it.effect("that are none say so", () =>
    Effect.gen(function*() {
      const none = { exitCode: 1, stderr: "No sensors found!\nMake sure you loaded all the kernel drivers you need." }
      expect(yield* Effect.flip(ask(sensors, none))).toMatchObject({
        reason: "failed",
        detail: expect.stringContaining("No sensors found!")
      })
    }))
})
