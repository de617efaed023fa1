import type { Format, Property } from "./ParameterSchema.ts"

/** A format that a pattern tells; `said` are Proxmox's words for what does not fit. */
export const matching = (pattern: RegExp, said: (value: string) => string): Format => ({
  check: (value) => pattern.test(value) ? undefined : `${said(value)}\n`
})

const judged = (fits: (value: string) => boolean, said: (value: string) => string): Format => ({
  check: (value) => fits(value) ? undefined : `${said(value)}\n`
})

const idOf = (what: string): Format => ({
  check: (value) =>
    Array.from(value).length < 2
      ? `${what} ID '${value}' cannot be shorter than 2 characters\n`
      : /^[a-z][a-z0-9\-_.]*[a-z0-9]$/i.test(value)
      ? undefined
      : `${what} ID '${value}' contains illegal characters\n`
})

export const storageId = idOf("storage")

const octet = "(?:25[0-5]|(?:2[0-4]|1[0-9]|[1-9])?[0-9])"
const ipv4Pattern = new RegExp(`^(?:${octet}\\.){3}${octet}$`)
const isIpv4 = (value: string): boolean => ipv4Pattern.test(value)
const isIpv6 = (value: string): boolean => /^[0-9a-f:.]+$/i.test(value) && URL.canParse(`http://[${value}]/`)

const isNetwork = (value: string, isAddress: (text: string) => boolean, bits: number): boolean => {
  const [, address = "", length = ""] = /^(.*)\/(\d+)$/.exec(value) ?? []
  return isAddress(address) && Number(length) > 7 && Number(length) <= bits
}

export const ipv4 = judged(isIpv4, () => "value does not look like a valid IPv4 address")
export const ipv6 = judged(isIpv6, () => "value does not look like a valid IPv6 address")
export const ipv4Config = judged(
  (value) => /^(?:dhcp|manual)$/.test(value) || isNetwork(value, isIpv4, 32),
  () => "value does not look like a valid ipv4 network configuration"
)
export const ipv6Config = judged(
  (value) => /^(?:auto|dhcp|manual)$/.test(value) || isNetwork(value, isIpv6, 128),
  () => "value does not look like a valid ipv6 network configuration"
)
/** Name servers; a link-local one may name the card that it is behind. */
export const nameservers: Format = {
  ...judged(
    (value) => {
      const [, local, card] = /^(fe80:[^%]+)%(.*)$/.exec(value) ?? []
      return local !== undefined && card !== undefined
        ? isIpv6(local) && /^[a-z][a-z0-9_]{1,20}(?:[:.]\d+)?$/i.test(card)
        : isIpv4(value) || isIpv6(value)
    },
    () => "value does not look like a valid IP address"
  ),
  list: true
}

export const hwaddr = matching(
  /^[a-f0-9][02468ace](?::[a-f0-9]{2}){5}$/i,
  () => "value does not look like a valid unicast MAC address"
)

export const dnsName = matching(
  /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*$/,
  () => "value does not look like a valid DNS name"
)
export const dnsNames: Format = { ...dnsName, list: true }

/** A machine, by address or by name. */
export const server = judged(
  (value) => isIpv4(value) || isIpv6(value) || dnsName.check(value, "") === undefined,
  () => "value does not look like a valid server name or IP address"
)

export const diskSize = matching(
  /^\d+(?:\.\d+)?(?:[KMGT](?:iB)?)?$/,
  (value) => `value does not look like a valid disk size: ${value}`
)

/** `order=1,up=5,down=10`, where `order=` may be left out. */
export const startupOrder = judged(
  (value) => value.split(",").every((part) => part.trim() === "" || /^(?:(?:order=)?|up=|down=)\d+$/.test(part)),
  () => "unable to parse startup options"
)

const isZone = (value: string): boolean => {
  if (!/^[A-Z][\w+-]*(?:\/[\w+-]+)+$/.test(value) || value.startsWith("Etc/")) return false
  try {
    return new Intl.DateTimeFormat("en", { timeZone: value }).format(0) !== ""
  } catch {
    return false
  }
}

/** `host` for the host's own; otherwise a place that the tz database lists. */
export const containerTimezone = judged(
  (value) => value === "host" || value === "UTC" || isZone(value),
  (value) => `invalid time zone '${value}'`
)

export const volumeId = matching(
  /^[a-z][a-z0-9\-_.]*[a-z0-9]:.+$/i,
  (value) => `unable to parse volume ID '${value}'`
)

/** A path inside of a container, or a source of one: no step up, and none that stays. */
export const mountPath = judged(
  (value) => !/\/\.\.?(?:\/|$)/.test(value) && !value.startsWith("../"),
  (value) => `${value} contains illegal character sequences`
)

export const devicePath = judged(
  (value) => value.startsWith("/dev/") && !/\/\.\.?(?:\/|$)/.test(value),
  (value) => `${value} is not a valid device path`
)

const user = String.raw`[\w+~-]+(?:\.[\w+~-]+)*`
const mailbox = `${user}@[a-zA-Z0-9-]+(?:\\.[a-zA-Z0-9-]+)*`
/** Receivers of a mail: addresses, or users of the host. */
export const mailReceivers: Format = {
  ...matching(
    new RegExp(`^(?:${mailbox}|${user})$`),
    () => "value does not look like a valid email address or user name"
  ),
  list: true
}

const contentTypes = ["images", "rootdir", "vztmpl", "iso", "backup", "snippets", "import", "none"]
/** What a storage may hold. */
export const contentType = judged(
  (value) => contentTypes.includes(value),
  (value) => `invalid content type '${value}'`
)

/** Pools lie in each other, three levels deep at most. */
export const poolName: Format = {
  check: (value) =>
    value.split("/").length > 3
      ? `pool name '${value}' nested too deeply (max levels = 3)\n`
      : /^[A-Za-z0-9.\-_]+(?:\/[A-Za-z0-9.\-_]+)*$/.test(value)
      ? undefined
      : `pool name '${value}' contains invalid characters\n`
}

export const of = (format: Format): Property => ({ type: "string", optional: true, format })
export const listOf = (format: Format): Format => ({ ...format, list: true })
