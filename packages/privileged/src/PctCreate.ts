import { StorageId, Vmid } from "@felhom/domain/ProxmoxId"
import { Schema } from "effect"

/**
 * The first exception: a container with `keyctl`, which no API token may create (platform-facts 5.2, 5.4). It is needed once
 * per golden image; guests are then restored from that image through the API.
 */
export const PctCreateRequest = Schema.Struct({
  vmid: Vmid,
  /** A template volume, `STORAGE:vztmpl/FILE`. */
  template: Schema.String.pipe(
    Schema.maxLength(255),
    Schema.pattern(/^[a-zA-Z][a-zA-Z0-9\-_.]*[a-zA-Z0-9]:vztmpl\/[a-zA-Z0-9][a-zA-Z0-9._+-]*$/, {
      message: () => "a template reads STORAGE:vztmpl/FILE"
    })
  ),
  /** Where the root disk goes. */
  storage: StorageId,
  rootGiB: Schema.Int.pipe(Schema.between(1, 1024)),
  hostname: Schema.String.pipe(
    Schema.pattern(/^(?=.{1,63}$)[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?$/, { message: () => "not a host name" })
  ),
  cores: Schema.Int.pipe(Schema.between(1, 128)),
  memoryMiB: Schema.Int.pipe(Schema.between(16, 1_048_576)),
  bridge: Schema.String.pipe(
    Schema.pattern(/^[a-zA-Z][a-zA-Z0-9_]{0,14}$/, { message: () => "not the name of a bridge" })
  )
})
export type PctCreateRequest = typeof PctCreateRequest.Type

/** The last lines of what `pct` printed, each shortened to one that a terminal can show. */
export const PctCreateResult = Schema.Struct({ output: Schema.Array(Schema.String) })
export type PctCreateResult = typeof PctCreateResult.Type

/** The one command line of this verb. Nothing of it passes a shell, and no value can be taken for an option. */
export const pctCreateArgv = (request: PctCreateRequest): readonly [string, ...Array<string>] => [
  "/usr/sbin/pct",
  "create",
  String(request.vmid),
  request.template,
  "--rootfs",
  `${request.storage}:${request.rootGiB}`,
  "--hostname",
  request.hostname,
  "--cores",
  String(request.cores),
  "--memory",
  String(request.memoryMiB),
  "--net0",
  `name=eth0,bridge=${request.bridge},ip=dhcp`,
  "--unprivileged",
  "1",
  "--features",
  "keyctl=1,nesting=1",
  "--onboot",
  "0",
  "--start",
  "0"
]

/** The command line that reads back what is there. */
export const pctConfigArgv = (vmid: Vmid): readonly [string, ...Array<string>] => [
  "/usr/sbin/pct",
  "config",
  String(vmid)
]

const needed: ReadonlyArray<readonly [what: string, line: RegExp]> = [
  ["unprivileged: 1", /^unprivileged: 1$/m],
  ["keyctl=1", /^features: (?:[^\n]*,)?keyctl=1(?:,|$)/m],
  ["nesting=1", /^features: (?:[^\n]*,)?nesting=1(?:,|$)/m]
]

/** What the output of `pct config` does not show of what the container was to be. */
export const whatIsMissing = (config: string): ReadonlyArray<string> =>
  needed.filter(([, line]) => !line.test(config)).map(([what]) => what)
