import { DiskReading } from "@felhom/domain/DiskReading"
import { displayTextWithin } from "@felhom/domain/DisplayText"
import { Temperature } from "@felhom/domain/HostReport"
import { Option, ParseResult, Schema } from "effect"
import { readingOf, smartctlFields } from "./SmartctlReading.ts"

/** A whole disk, by the kernel's name: what `smartctl` may be pointed at. */
export const DiskDevice = Schema.String.pipe(
  Schema.pattern(/^\/dev\/(?:sd[a-z]{1,3}|vd[a-z]{1,2}|nvme\d{1,3}(?:n\d{1,3})?)$/, {
    message: () => "a disk reads /dev/sdX, /dev/vdX or /dev/nvmeXnY"
  }),
  Schema.brand("DiskDevice")
)
export type DiskDevice = typeof DiskDevice.Type

/** The third exception: what a disk says of itself beyond the API's answer, and the board's sensors. Both only read. */
export const SmartRequest = Schema.Union(
  Schema.Struct({ action: Schema.Literal("smart"), device: DiskDevice }),
  Schema.Struct({ action: Schema.Literal("sensors") })
)
export type SmartRequest = typeof SmartRequest.Type

const ofDisk = { action: Schema.Literal("smart"), device: DiskDevice }

/**
 * What a disk said, in degrees Celsius; `passed` and `celsius` are null where it does not say. `asleep`: it was not woken for the
 * question. `silent`: it did not answer within so long. `skipped`: it has nothing to say, and `why`.
 */
export const SmartResult = Schema.Union(
  Schema.Struct({
    ...ofDisk,
    state: Schema.Literal("read"),
    passed: Schema.NullOr(Schema.Boolean),
    celsius: Schema.NullOr(Schema.Number),
    /** What smartctl's exit status warns of, in words. */
    warnings: Schema.Array(Schema.String),
    reading: DiskReading
  }),
  Schema.Struct({ ...ofDisk, state: Schema.Literal("asleep") }),
  Schema.Struct({ ...ofDisk, state: Schema.Literal("silent"), seconds: Schema.Number }),
  Schema.Struct({ ...ofDisk, state: Schema.Literal("skipped"), why: Schema.String }),
  Schema.Struct({ action: Schema.Literal("sensors"), temperatures: Schema.Array(Temperature) })
)
export type SmartResult = typeof SmartResult.Type

// smartctl's own 2 for a disk that sleeps is also its answer to one that it can't open. Bits 0 and 1 together it never sets: with
// bit 0 (a wrong command line) it ends before it looks at the disk.
const asleepStatus = 3

/** The one command line of each action. */
export const smartArgv = (request: SmartRequest): readonly [string, ...Array<string>] =>
  request.action === "smart"
    ? ["/usr/sbin/smartctl", "--json=c", `--nocheck=standby,${asleepStatus}`, "--all", request.device]
    : ["/usr/bin/sensors", "-j"]

/** Why a disk is not even asked: a virtual one's SMART would be another machine's invention. */
export const whyNotAsked = (device: DiskDevice): string | undefined =>
  device.startsWith("/dev/vd") ? "a virtual disk (virtio) has no SMART; ask the host that it is stored on" : undefined

/** Whether smartctl ended without asking the disk anything, since that would have woken it. */
export const smartctlFoundItAsleep = (exitCode: number): boolean => exitCode === asleepStatus

/**
 * smartctl's exit status is a set of bits; the first two (0 and 1) mean that it could not be run or the device not be
 * opened, all others report on the disk (smartctl(8), EXIT STATUS).
 */
export const smartctlCouldNotRead = (exitCode: number): boolean => (exitCode & 0b11) !== 0

/** As long as Proxmox VE itself waits for a disk (platform-facts 1.8). */
export const diskPatienceSeconds = 10

const bitWords: ReadonlyArray<readonly [bit: number, words: string]> = [
  [2, "a command to the disk failed, or what it sent has a wrong checksum"],
  [3, "the disk says that it is failing: save what is on it"],
  [4, "a prefail attribute is at or below its threshold"],
  [5, "an attribute was at or below its threshold at some time"],
  [6, "its error log has entries"],
  [7, "its log of self-tests has failures"]
]

/** What smartctl's exit status says of the disk, in words. */
export const smartctlWarnings = (exitCode: number): ReadonlyArray<string> =>
  bitWords.filter(([bit]) => (exitCode & (1 << bit)) !== 0).map(([, words]) => words)

const SmartctlOutput = Schema.parseJson(Schema.Struct({
  // Without this it is not smartctl that speaks, or not in a form that is known here.
  smartctl: Schema.Struct({ exit_status: Schema.Int }),
  scsi_vendor: Schema.optional(Schema.String),
  smart_support: Schema.optional(Schema.Struct({ available: Schema.Boolean })),
  smart_status: Schema.optional(Schema.Struct({ passed: Schema.Boolean })),
  ...smartctlFields
}))

const virtualMaker = /^(?:QEMU|VMware|VBOX|VirtualBox|Msft|Xen)\b/i

/** Reads the output of `smartctl --json=c --all`, which ended with `exitCode`. */
export const parseSmartctl = (device: DiskDevice, exitCode: number, output: string) =>
  ParseResult.map(ParseResult.decodeUnknown(SmartctlOutput)(output), (found): SmartResult => {
    const maker = [found.scsi_vendor, found.model_name].find((name) => name !== undefined && virtualMaker.test(name))
    if (maker !== undefined && found.smart_status === undefined) {
      const why = `a virtual disk (${displayTextWithin(maker, 40)}) has no SMART; ask the host that it is stored on`
      return { action: "smart", device, state: "skipped", why }
    }
    if (found.smart_support?.available === false) {
      return {
        action: "smart",
        device,
        state: "skipped",
        why: "the disk has no SMART, or what it is plugged into hides it"
      }
    }
    return {
      action: "smart",
      device,
      state: "read",
      passed: found.smart_status?.passed ?? null,
      celsius: found.temperature?.current ?? null,
      warnings: smartctlWarnings(exitCode),
      reading: readingOf(found, exitCode)
    }
  })

const SensorsOutput = Schema.parseJson(Schema.Record({ key: Schema.String, value: Schema.Unknown }))
const Chip = Schema.Record({ key: Schema.String, value: Schema.Unknown })
const Feature = Schema.Record({ key: Schema.String, value: Schema.Number })

// With names of this length so many fit into one answer; a board has a tenth of them.
const longestSensor = 60
const mostSensors = 60

// What a board's chip names as critical without having been told is 0, 127 or worse.
const leastCritical = 40
const mostCritical = 120

const own = (readings: unknown, name: string): number | undefined =>
  entriesOf(Feature, readings).find(([key]) => key === name)?.[1]

/** Reads the output of `sensors -j`: every `tempN_input`, named `chip feature`. */
export const parseSensors = (output: string) =>
  ParseResult.map(ParseResult.decodeUnknown(SensorsOutput)(output), (chips): SmartResult => ({
    action: "sensors",
    temperatures: Object.entries(chips).flatMap(([chip, features]) =>
      entriesOf(Chip, features).flatMap(([feature, readings]) =>
        entriesOf(Feature, readings)
          .filter(([name, celsius]) => /^temp\d+_input$/.test(name) && Number.isFinite(celsius))
          .map(([name, celsius]) => {
            const critical = own(readings, name.replace("_input", "_crit"))
            return {
              sensor: displayTextWithin(`${chip} ${feature}`, longestSensor),
              celsius,
              ...(critical === undefined || critical < leastCritical || critical > mostCritical ? {} : { critical })
            }
          })
      )
    ).slice(0, mostSensors)
  }))

const entriesOf = <A>(
  schema: Schema.Schema<{ readonly [key: string]: A }>,
  value: unknown
): ReadonlyArray<[string, A]> =>
  Option.match(Schema.decodeUnknownOption(schema)(value), { onNone: () => [], onSome: Object.entries })
