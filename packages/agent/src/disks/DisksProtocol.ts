import { HostStorage } from "@felhom/domain/HostStorage"
import { DiskName } from "@felhom/domain/HostStoragePolicy"
import { MountableDevice } from "@felhom/privileged/Mount"
import { Schema } from "effect"

/** What root asks of disks and of health. */
export const diskRequests = [
  Schema.Struct({ ask: Schema.Literal("disks.list") }),
  Schema.Struct({ ask: Schema.Literal("disks.eject"), name: DiskName }),
  Schema.Struct({ ask: Schema.Literal("disks.adopt"), disk: DiskName }),
  /** `now`: the disks are asked once more before the answer. */
  Schema.Struct({ ask: Schema.Literal("health.show"), now: Schema.Boolean })
] as const
export type DiskRequest = (typeof diskRequests)[number]["Type"]

/** What is plugged in, and what the host keeps of it. */
export const DisksAnswer = Schema.Struct({ kept: HostStorage, devices: Schema.Array(MountableDevice) })
export type DisksAnswer = typeof DisksAnswer.Type
