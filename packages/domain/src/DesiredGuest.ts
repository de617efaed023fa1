import { Schema } from "effect"
import { GuestIdentity } from "./GuestConfig.ts"
import { GuestType, StorageId } from "./ProxmoxId.ts"

const said = (message: string) => ({ message: () => message })
const whole = (least: number, most: number) => Schema.Int.pipe(Schema.between(least, most))

const Tag = Schema.String.pipe(
  Schema.pattern(
    /^[a-z0-9_][a-z0-9_\-+.]{0,63}$/,
    said("a tag has 1 to 64 lower-case letters, digits, _, -, + or ., none of the last three first")
  )
)

const Name = Schema.String.pipe(
  Schema.pattern(
    /^(?=.{1,255}$)[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$/,
    said("a name is a DNS name: letters, digits and inner dashes, parts of up to 63 joined by dots")
  )
)

const Address = Schema.String.pipe(
  Schema.pattern(/^[0-9a-fA-F.:]{2,45}$/, said("an address is such as 192.168.1.1 or fd00::1"))
)

const Bridge = Schema.String.pipe(
  Schema.pattern(/^[a-zA-Z][a-zA-Z0-9_.-]{0,14}$/, said("a bridge is such as vmbr0, 15 characters at most"))
)

const Address4 = Schema.String.pipe(
  Schema.pattern(/^(?:dhcp|manual|[0-9.]{7,15}\/\d{1,2})$/, said("ip is dhcp, manual or such as 192.168.1.20/24"))
)

const Address6 = Schema.String.pipe(
  Schema.pattern(
    /^(?:auto|dhcp|manual|[0-9a-fA-F:.]{2,45}\/\d{1,3})$/,
    said("ip6 is auto, dhcp, manual or such as fd00::20/64")
  )
)

/**
 * How one of a guest's network cards should be. Its hardware address is who the guest is, and can't be wished for. `rate` in MB/s.
 */
export const DesiredCard = Schema.Struct({
  bridge: Schema.optional(Bridge),
  tag: Schema.optional(whole(1, 4094)),
  mtu: Schema.optional(whole(64, 65_520)),
  rate: Schema.optional(whole(1, 10_240)),
  firewall: Schema.optional(Schema.Boolean),
  linkDown: Schema.optional(Schema.Boolean),
  /** Of containers, as are the next three. */
  ip: Schema.optional(Address4),
  gw: Schema.optional(Address),
  ip6: Schema.optional(Address6),
  gw6: Schema.optional(Address)
})
export type DesiredCard = typeof DesiredCard.Type

const CardKey = Schema.String.pipe(
  Schema.pattern(/^net(?:[12]?\d|3[01])$/, said("a network card is net0 to net31"))
)

const VolumeKey = Schema.String.pipe(
  Schema.pattern(
    /^(?:rootfs|(?:mp|ide|sata|scsi|virtio)(?:0|[1-9]\d{0,2}))$/,
    said("a volume is rootfs, or such as mp0 or scsi0")
  )
)

/** In which order the host starts its guests, and how many seconds it waits after each start and for each shutdown. */
export const DesiredStartup = Schema.Struct({
  order: Schema.optional(whole(0, 1_000_000)),
  up: Schema.optional(whole(0, 86_400)),
  down: Schema.optional(whole(0, 86_400))
})

/**
 * What a guest's configuration should say. What is not named is left as it is, down to the parts of a card. All of it can be
 * undone, but for a volume that has grown, which no host makes smaller again. Protection can only be put on.
 */
export const DesiredSettings = Schema.Struct({
  name: Schema.optional(Name),
  cores: Schema.optional(whole(1, 8192)),
  /** Cores' worth of time that it gets at most; 0: no limit. */
  cpulimit: Schema.optional(whole(0, 8192)),
  /** Its weight against the others. */
  cpuunits: Schema.optional(whole(1, 10_000)),
  /** MiB. */
  memory: Schema.optional(whole(16, 64 * 1024 * 1024)),
  /** MiB; containers only. */
  swap: Schema.optional(whole(0, 64 * 1024 * 1024)),
  onboot: Schema.optional(Schema.Boolean),
  startup: Schema.optional(DesiredStartup),
  description: Schema.optional(Schema.String.pipe(Schema.maxLength(8192))),
  tags: Schema.optional(Schema.Array(Tag).pipe(Schema.maxItems(64))),
  protection: Schema.optional(Schema.Literal(true)),
  /** In the order in which they are asked; none: those of the host. Containers only. */
  nameserver: Schema.optional(Schema.Array(Address).pipe(Schema.maxItems(8))),
  nets: Schema.optional(Schema.Record({ key: CardKey, value: DesiredCard })),
  /** GiB, by volume; only ever more. */
  volumes: Schema.optional(Schema.Record({ key: VolumeKey, value: whole(1, 1024 * 1024) }))
})
export type DesiredSettings = typeof DesiredSettings.Type

/** Which guest is meant: who it is, not where it stands (protocol 4), so that a vmid that is used again means nobody. */
export const DesiredGuestKey = Schema.Struct({ type: GuestType, identity: GuestIdentity })
export type DesiredGuestKey = typeof DesiredGuestKey.Type

/**
 * What a guest is made from when the host has none with its key: an image that the host's policy names, a template or an archive of
 * a guest of the same type. A virtual machine is made from an archive alone.
 */
const DesiredMaking = Schema.Struct({
  image: Schema.String.pipe(
    Schema.pattern(
      /^[a-z0-9][a-z0-9._-]{0,63}$/,
      said("an image is called such as debian-13, as the host's policy does")
    )
  ),
  storage: StorageId
})

/**
 * What one guest should be. Nothing in it can say "destroy": `power: "stopped"` is a shutdown that nothing follows, and a guest
 * that is not named is left alone.
 */
export const DesiredGuest = Schema.Struct({
  guest: DesiredGuestKey,
  power: Schema.optional(Schema.Literal("running", "stopped")),
  make: Schema.optional(DesiredMaking),
  ...DesiredSettings.fields
}).pipe(
  Schema.filter(({ guest: { identity }, make }) =>
    make === undefined || (identity.key !== null && /^[0-9a-f]{32}$/.test(identity.key))
      ? undefined
      : "only a guest with a key of 32 lower-case hex digits can be made"
  )
)
export type DesiredGuest = typeof DesiredGuest.Type
