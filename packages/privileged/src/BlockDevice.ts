import { ParseResult, Schema } from "effect"

const fields = {
  path: Schema.String,
  /** `disk`, `part`, `lvm`, `crypt`, `raid1`, `loop`, `rom`, `mpath` and so on. */
  type: Schema.String,
  fstype: Schema.NullOr(Schema.String),
  uuid: Schema.NullOr(Schema.String),
  label: Schema.NullOr(Schema.String),
  /** What its entry in the partition table says that it is for: a UUID (GPT) or a number (MBR). */
  parttype: Schema.NullOr(Schema.String),
  size: Schema.NullOr(Schema.Number),
  ro: Schema.Boolean,
  tran: Schema.NullOr(Schema.String),
  serial: Schema.NullOr(Schema.String),
  mountpoints: Schema.Array(Schema.NullOr(Schema.String))
}

/** A block device as `lsblk` tells it, with those that are made of it. A device made of two is told below each. */
export interface BlockDevice extends Schema.Struct.Type<typeof fields> {
  readonly children?: ReadonlyArray<BlockDevice>
}

const BlockDevice: Schema.Schema<BlockDevice> = Schema.Struct({
  ...fields,
  children: Schema.optionalWith(Schema.Array(Schema.suspend(() => BlockDevice)), { exact: true })
})

const LsblkOutput = Schema.parseJson(Schema.Struct({ blockdevices: Schema.Array(BlockDevice) }))

/** Reads the output of `lsblkArgv`: the devices that are made of no other. */
export const parseLsblk = (output: string) =>
  ParseResult.map(ParseResult.decodeUnknown(LsblkOutput)(output), ({ blockdevices }) => blockdevices)

/** A device and all that is made of it. */
export const withDescendants = (device: BlockDevice): ReadonlyArray<BlockDevice> => [
  device,
  ...(device.children ?? []).flatMap(withDescendants)
]
