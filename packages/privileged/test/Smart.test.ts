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
        warnings: ["the disk says that it is failing: save what is on it", "its error log has entries"]
      })
      expect(yield* ask(ofDisk, { exitCode: 0, stdout: said({}) })).toMatchObject({ passed: null, celsius: null })
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
      const odd = ["", "{}", "[]", "null", "smartctl 5.41", "{\"smartctl\":1}", said({ temperature: 40 }), "\u0000"]
      for (const stdout of odd) {
        expect(yield* Effect.flip(ask(ofDisk, { exitCode: 0, stdout })), stdout).toMatchObject({
          reason: "malformed",
          detail: expect.stringContaining("/usr/sbin/smartctl answered in a form that is not known here")
        })
      }
    }))

  it.effect("that is dying and does not answer for 10 s is told as what it is, and not waited for", () =>
    Effect.gen(function*() {
      const asked = yield* Effect.fork(Effect.flip(ask(ofDisk, "hangs")))
      yield* TestClock.adjust("10 seconds")
      expect(yield* asked).toMatchObject({
        reason: "failed",
        detail: expect.stringMatching(/had not ended after 10 s: \/dev\/sda does not answer, as a dying disk/)
      })
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
          SYSTIN: { temp1_input: 33, temp1_max: 80 },
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
