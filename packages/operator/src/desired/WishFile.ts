import { goodForBounds } from "@felhom/domain/DesiredApi"
import { DesiredCard, DesiredGuest, DesiredSettings, DesiredStartup } from "@felhom/domain/DesiredGuest"
import { GuestType, StorageId } from "@felhom/domain/ProxmoxId"
import { ParseResult, Schema } from "effect"

const told = (description: string) => ({ description })

const sizes: { readonly [unit: string]: number } = { MiB: 1, GiB: 1024, TiB: 1024 ** 2 }

const whole = (least: number, most: number, message: string) =>
  Schema.Int.pipe(Schema.between(least, most), Schema.annotations({ message: () => message }))

/** A size as a person writes it: a plain number in `unit`, or with MiB, GiB or TiB behind it. */
const size = (unit: "MiB" | "GiB", least: number, most: number, example: string) => {
  const message = `a size is a number of ${unit}, or one with MiB, GiB or TiB behind it, such as ${example}; from ` +
    `${least} to ${most} ${unit}, and no fractions of it`
  return Schema.transformOrFail(
    Schema.Union(Schema.Number, Schema.String.pipe(Schema.pattern(/^\d{1,8}(?:\.\d{1,3})? ?[MGT]iB$/))).annotations({
      message: () => ({ message, override: true })
    }),
    whole(least, most, message),
    {
      strict: true,
      decode: (given, _, ast) => {
        if (typeof given === "number") return ParseResult.succeed(given)
        const [, count = "", of = ""] = /^([\d.]+) ?(\w+)$/.exec(given) ?? []
        const value = (Number(count) * (sizes[of] ?? 0)) / (sizes[unit] ?? 1)
        return Number.isSafeInteger(value) ? ParseResult.succeed(value) : ParseResult.fail(
          new ParseResult.Type(ast, given, message)
        )
      },
      encode: (value) => ParseResult.succeed(value)
    }
  )
}

const lengths: { readonly [unit: string]: number } = { m: 60, h: 3600, d: 86_400 }

const goodForMessage = "goodFor is such as 36h or 7d: an hour at least, and 90 days at most"

const GoodFor = Schema.transform(
  Schema.String.pipe(Schema.pattern(/^\d{1,5}[mhd]$/, { message: () => goodForMessage })).annotations({
    message: () => goodForMessage
  }),
  whole(goodForBounds.least, goodForBounds.most, goodForMessage),
  {
    strict: true,
    decode: (text) => Number(text.slice(0, -1)) * (lengths[text.slice(-1)] ?? 0),
    encode: (seconds) => `${Math.round(seconds / 60)}m`
  }
)

const cards = DesiredCard.fields

const Card = Schema.Struct({
  bridge: cards.bridge.annotations(told("The bridge that it is on, such as vmbr0")),
  tag: cards.tag.annotations(told("VLAN tag")),
  mtu: cards.mtu.annotations(told("MTU in bytes")),
  rate: cards.rate.annotations(told("At most so many MB/s")),
  firewall: cards.firewall.annotations(told("Whether Proxmox VE's firewall looks at it")),
  linkDown: cards.linkDown.annotations(told("Whether its cable is pulled")),
  ip: cards.ip.annotations(told("Containers: dhcp, manual, or such as 192.168.1.20/24")),
  gw: cards.gw.annotations(told("Containers: the IPv4 gateway")),
  ip6: cards.ip6.annotations(told("Containers: auto, dhcp, manual, or such as fd00::20/64")),
  gw6: cards.gw6.annotations(told("Containers: the IPv6 gateway"))
})

/** What the keys of records are to look like, by the record's name. */
export const keyHints: { readonly [record: string]: string } = {
  nets: "a network card is net0 to net31",
  volumes: "a volume is rootfs, or such as mp0 or scsi0"
}

const cardKey = /^net(?:[12]?\d|3[01])$/
const volumeKey = /^(?:rootfs|(?:mp|ide|sata|scsi|virtio)(?:0|[1-9]\d{0,2}))$/

const Making = Schema.Struct({
  image: Schema.String.pipe(
    Schema.pattern(/^[a-z0-9][a-z0-9._-]{0,63}$/, {
      message: () => "an image is called such as debian-13, as the host's policy does"
    }),
    Schema.annotations({ description: "An image that the host's policy names" })
  ),
  type: Schema.optional(GuestType).annotations(
    told("What it is. lxc: a container, as where nothing is said; qemu: a virtual machine, made from an archive of one")
  ),
  storage: StorageId.annotations({ description: "The storage that its volumes are made on" }),
  key: Schema.String.pipe(
    Schema.pattern(/^[0-9a-f]{32}$/, { message: () => "a key has 32 digits from 0 to 9 and a to f" }),
    Schema.annotations({
      description:
        "By this the host knows what it made, whatever becomes of its name: 32 hex digits, another for each guest (openssl rand -hex 16)"
    })
  )
})

const startup = DesiredStartup.fields

const Startup = Schema.Struct({
  order: startup.order.annotations(told("Its place among the guests of its host")),
  up: startup.up.annotations(told("Seconds that the host waits after its start")),
  down: startup.down.annotations(told("Seconds that the host waits for its shutdown"))
})

const settings = DesiredSettings.fields

/** What a file wishes for one guest. */
export const GuestWish = Schema.Struct({
  power: DesiredGuest.from.fields.power.annotations(
    told("running: it is started; stopped: it is asked to shut down, and nothing follows")
  ),
  make: Schema.optional(Making).annotations(
    told("Make it where the host has none with this key")
  ),
  name: settings.name.annotations(told("Its host name; it is used from the next start on")),
  cores: settings.cores.annotations(told("Processor cores")),
  cpulimit: settings.cpulimit.annotations(told("At most so many cores' worth of time; 0: no limit")),
  cpuunits: settings.cpuunits.annotations(told("Its weight against the other guests")),
  memory: Schema.optional(size("MiB", 16, 64 * 1024 * 1024, "512 MiB or 2 GiB")).annotations(
    told("Memory: MiB as a number, or such as 512 MiB or 2 GiB. Never below what a running guest uses")
  ),
  swap: Schema.optional(size("MiB", 0, 64 * 1024 * 1024, "512 MiB or 2 GiB")).annotations(
    told("Containers: swap, written as memory is; made less only while the guest is stopped")
  ),
  onboot: settings.onboot.annotations(told("Whether it starts with its host")),
  startup: Schema.optional(Startup).annotations(
    told("Containers: how the host starts it and shuts it down with itself")
  ),
  description: settings.description.annotations(told("Notes")),
  tags: settings.tags.annotations(told("All of its tags, in any order")),
  protection: settings.protection.annotations(
    told("true: it can't be destroyed. Taking that away needs a signature")
  ),
  nameserver: settings.nameserver.annotations(
    told("Containers: its name servers in the order in which they are asked; none: those of the host")
  ),
  nets: Schema.optional(
    Schema.Record({
      key: Schema.String.pipe(Schema.pattern(cardKey)),
      value: Card
    })
  ).annotations(told("Network cards by their names, net0 to net31; what is not said of one stays as it is")),
  volumes: Schema.optional(
    Schema.Record({
      key: Schema.String.pipe(Schema.pattern(volumeKey)),
      value: size("GiB", 1, 1024 * 1024, "20 GiB or 1 TiB")
    })
  ).annotations(
    told("Sizes of volumes by their names, such as rootfs or scsi0: GiB as a number, or such as 1 TiB. Only ever more")
  )
}).annotations({ message: () => "what is wished for a guest stands under its name, such as power: running" })
export type GuestWish = typeof GuestWish.Type

const HostPattern = Schema.String.pipe(
  Schema.pattern(/^[A-Za-z0-9*-]{1,63}$/, {
    message: () => "a host is its node name, the beginning of its id, or a pattern such as home-*"
  })
)

/** The parts of a file, each described for those who write it. */
export const WishFields = Schema.Struct({
  host: Schema.optional(HostPattern).annotations(told("The host, by its node name or the beginning of its id")),
  hosts: Schema.optional(Schema.Array(HostPattern).pipe(Schema.minItems(1))).annotations(
    told(
      "Several hosts: node names, beginnings of ids, and patterns such as home-* for all whose node name is like that"
    )
  ),
  goodFor: Schema.optional(GoodFor).annotations(
    told("How long a host goes by it while it can't hear its hub, such as 36h or 7d; 7d where nothing is said")
  ),
  guests: Schema.Record({ key: Schema.String, value: GuestWish }).annotations({
    description:
      "By each guest's name, or as lxc/101 or qemu/102. A guest that is not named is left alone, and so is what is not said of one",
    message: () => "guests are named one by one, each with what is wished for it under its name"
  })
}).annotations({
  message: () => "a file says for which host it is, and what its guests should be: host: NAME, guests: ..."
})

/**
 * What a person writes: for which hosts, and what their guests should be. Which of the guests there are meant is found in each
 * host's own report, so one file is good for many hosts. The one schema of decoding, of errors and of `felhom schema`.
 */
export const WishFile = WishFields.pipe(
  Schema.filter(({ host, hosts }) =>
    (host === undefined) === (hosts === undefined)
      ? "it names its hosts once: host: NAME, or hosts: [NAME, PATTERN, ...]"
      : undefined
  )
)
export type WishFile = typeof WishFile.Type
