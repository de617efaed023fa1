import type { DiskReading } from "@felhom/domain/DiskReading"
import { displayTextWithin } from "@felhom/domain/DisplayText"
import { Schema } from "effect"

const optional = Schema.optional

/** What `smartctl --json --all` says beyond a disk's verdict, by smartctl's own names (smartmontools 7.4). */
export const smartctlFields = {
  model_name: optional(Schema.String),
  serial_number: optional(Schema.String),
  rotation_rate: optional(Schema.Number),
  power_on_time: optional(Schema.Struct({ hours: optional(Schema.Number) })),
  temperature: optional(Schema.Struct({
    current: optional(Schema.Number),
    op_limit_max: optional(Schema.Number),
    drive_trip: optional(Schema.Number)
  })),
  ata_smart_attributes: optional(Schema.Struct({
    table: Schema.Array(Schema.Struct({
      id: Schema.Int,
      raw: Schema.Struct({ value: Schema.Number, string: optional(Schema.String) })
    }))
  })),
  nvme_smart_health_information_log: optional(Schema.Struct({
    critical_warning: optional(Schema.Int),
    available_spare: optional(Schema.Number),
    available_spare_threshold: optional(Schema.Number),
    percentage_used: optional(Schema.Number),
    media_errors: optional(Schema.Number)
  })),
  nvme_composite_temperature_threshold: optional(Schema.Struct({
    warning: optional(Schema.Number),
    critical: optional(Schema.Number)
  })),
  endurance_used: optional(Schema.Struct({ current_percent: optional(Schema.Number) })),
  spare_available: optional(Schema.Struct({
    current_percent: optional(Schema.Number),
    threshold_percent: optional(Schema.Number)
  })),
  scsi_grown_defect_list: optional(Schema.Number),
  scsi_error_counter_log: optional(Schema.Record({
    key: Schema.String,
    value: Schema.Struct({ total_uncorrected_errors: optional(Schema.Number) })
  }))
} as const

const Fields = Schema.Struct(smartctlFields)
type Fields = typeof Fields.Type

const count = (value: number | undefined): number | null =>
  value === undefined || !Number.isSafeInteger(value) || value < 0 ? null : value

/**
 * An attribute's count. The 48 bits of it hold up to three numbers, as the maker likes; smartctl writes the first one first ("5 (1 2)",
 * "0 0 3"), so its words are read and the bits only where it has none.
 */
const attribute = ({ ata_smart_attributes: attributes }: Fields, id: number): number | null => {
  const raw = attributes?.table.find((row) => row.id === id)?.raw
  if (raw === undefined) return null
  const first = /^\d+(?!\S)/.exec(raw.string ?? "")?.[0]
  return count(first === undefined ? raw.value : Number(first))
}

const sumOf = (values: ReadonlyArray<number | undefined>): number | null => {
  const numbers = values.flatMap((value) => count(value) ?? [])
  return numbers.length === 0 ? null : numbers.reduce((sum, value) => sum + value, 0)
}

// A limit that a disk names without having one is 0.
const limit = (celsius: number | undefined): number | null => celsius === undefined || celsius <= 0 ? null : celsius

const short = (text: string | undefined): string | null => text === undefined ? null : displayTextWithin(text, 60)

/** What is known of a disk by smartctl's answer, whichever of ATA, NVMe and SCSI it speaks. */
export const readingOf = (found: Fields, exitCode: number): DiskReading => {
  const nvme = found.nvme_smart_health_information_log
  return {
    serial: short(found.serial_number),
    model: short(found.model_name),
    exit: exitCode,
    rotates: found.rotation_rate === undefined ? null : found.rotation_rate > 0,
    counters: {
      reallocated: attribute(found, 5) ?? count(found.scsi_grown_defect_list),
      pending: attribute(found, 197),
      uncorrectable: attribute(found, 198) ??
        sumOf(Object.values(found.scsi_error_counter_log ?? {}).map((log) => log.total_uncorrected_errors)),
      reported: attribute(found, 187),
      timeouts: attribute(found, 188),
      media: count(nvme?.media_errors)
    },
    criticalWarning: count(nvme?.critical_warning),
    spare: nvme?.available_spare ?? found.spare_available?.current_percent ?? null,
    spareThreshold: nvme?.available_spare_threshold ?? found.spare_available?.threshold_percent ?? null,
    used: nvme?.percentage_used ?? found.endurance_used?.current_percent ?? null,
    hours: found.power_on_time?.hours ?? null,
    celsiusWarning: limit(found.nvme_composite_temperature_threshold?.warning),
    celsiusCritical: limit(
      found.nvme_composite_temperature_threshold?.critical ?? found.temperature?.op_limit_max ??
        found.temperature?.drive_trip
    )
  }
}
