import { Temperature } from "@felhom/domain/HostReport"
import { Option, ParseResult, Schema } from "effect"

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

/** `passed` and `celsius` are null where the disk does not say. */
export const SmartResult = Schema.Union(
  Schema.Struct({
    action: Schema.Literal("smart"),
    device: DiskDevice,
    passed: Schema.NullOr(Schema.Boolean),
    celsius: Schema.NullOr(Schema.Number)
  }),
  Schema.Struct({ action: Schema.Literal("sensors"), temperatures: Schema.Array(Temperature) })
)
export type SmartResult = typeof SmartResult.Type

/** The one command line of each action. */
export const smartArgv = (request: SmartRequest): readonly [string, ...Array<string>] =>
  request.action === "smart"
    ? ["/usr/sbin/smartctl", "--json=c", "--all", request.device]
    : ["/usr/bin/sensors", "-j"]

/**
 * smartctl's exit status is a set of bits; the first two (0 and 1) mean that it could not be run or the device not be
 * opened, all others report on the disk (smartctl(8), EXIT STATUS).
 */
export const smartctlCouldNotRead = (exitCode: number): boolean => (exitCode & 0b11) !== 0

const SmartctlOutput = Schema.parseJson(Schema.Struct({
  smart_status: Schema.optional(Schema.Struct({ passed: Schema.Boolean })),
  temperature: Schema.optional(Schema.Struct({ current: Schema.Number }))
}))

/** Reads the output of `smartctl --json=c --all`. */
export const parseSmartctl = (device: DiskDevice, output: string) =>
  ParseResult.decodeUnknown(SmartctlOutput)(output).pipe((parsed) =>
    ParseResult.map(parsed, (found): SmartResult => ({
      action: "smart",
      device,
      passed: found.smart_status?.passed ?? null,
      celsius: found.temperature?.current ?? null
    }))
  )

const SensorsOutput = Schema.parseJson(Schema.Record({ key: Schema.String, value: Schema.Unknown }))
const Chip = Schema.Record({ key: Schema.String, value: Schema.Unknown })
const Feature = Schema.Record({ key: Schema.String, value: Schema.Number })

/** Reads the output of `sensors -j`: every `tempN_input`, named `chip feature`. */
export const parseSensors = (output: string) =>
  ParseResult.map(ParseResult.decodeUnknown(SensorsOutput)(output), (chips): SmartResult => ({
    action: "sensors",
    temperatures: Object.entries(chips).flatMap(([chip, features]) =>
      entriesOf(Chip, features).flatMap(([feature, readings]) =>
        entriesOf(Feature, readings)
          .filter(([name]) => /^temp\d+_input$/.test(name))
          .map(([, celsius]) => ({ sensor: `${chip} ${feature}`, celsius }))
      )
    )
  }))

const entriesOf = <A>(
  schema: Schema.Schema<{ readonly [key: string]: A }>,
  value: unknown
): ReadonlyArray<[string, A]> =>
  Option.match(Schema.decodeUnknownOption(schema)(value), { onNone: () => [], onSome: Object.entries })
