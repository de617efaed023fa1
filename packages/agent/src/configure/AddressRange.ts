import { Either } from "effect"

/** An IP address or a network: `192.0.2.10`, `10.0.0.0/8`, `2001:db8::/32`. */
export interface AddressRange {
  readonly family: 4 | 6
  /** All its bits as one number; those beyond the prefix are zero. */
  readonly bits: bigint
  /** How many of the leading bits count. */
  readonly prefix: number
  /** As it was written, for people and for systemd. */
  readonly text: string
}

const widths = { 4: 32, 6: 128 } as const

const bitsOf4 = (text: string): bigint | undefined => {
  const parts = text.split(".")
  if (parts.length !== 4 || !parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256)) {
    return undefined
  }
  return parts.reduce((bits, part) => (bits << 8n) | BigInt(part), 0n)
}

const groups = (text: string): ReadonlyArray<string> => (text === "" ? [] : text.split(":"))

const bitsOf6 = (text: string): bigint | undefined => {
  // An IPv4 address may stand for the last two groups.
  const [, ahead = "", tail] = /^(.*:)(\d[\d.]*\.[\d.]*)$/.exec(text) ?? []
  const four = tail === undefined ? undefined : bitsOf4(tail)
  if (tail !== undefined && four === undefined) return undefined
  const plain = four === undefined ? text : `${ahead}${(four >> 16n).toString(16)}:${(four & 0xffffn).toString(16)}`
  const halves = plain.split("::")
  if (halves.length > 2) return undefined
  const [before, after] = [groups(halves[0] ?? ""), groups(halves[1] ?? "")]
  const missing = 8 - before.length - after.length
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined
  const all = [...before, ...Array.from({ length: missing }, () => "0"), ...after]
  if (!all.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return undefined
  return all.reduce((bits, group) => (bits << 16n) | BigInt(`0x${group}`), 0n)
}

/** Reads one address or network; `Left` with what is wrong with it. */
export const parseRange = (text: string): Either.Either<AddressRange, string> => {
  const wrong = Either.left(
    `${JSON.stringify(text)} is no address or network, such as 192.0.2.10, 10.10.10.0/24 or 2001:db8::1`
  )
  const [address = "", length, ...more] = text.split("/")
  const family = address.includes(":") ? 6 : 4
  const bits = family === 6 ? bitsOf6(address) : bitsOf4(address)
  const width = widths[family]
  const prefix = length === undefined ? width : /^(?:0|[1-9]\d{0,2})$/.test(length) ? Number(length) : -1
  if (bits === undefined || more.length > 0 || prefix < 0 || prefix > width) return wrong
  const beyond = BigInt(width - prefix)
  return Either.right({ family, prefix, bits: (bits >> beyond) << beyond, text })
}

/** Reads several, with commas or blanks between them; `Left` at the first that can't be read. */
export const parseRanges = (text: string): Either.Either<ReadonlyArray<AddressRange>, string> =>
  Either.all(text.split(/[\s,]+/).filter((part) => part !== "").map(parseRange))

/** Whether all of one lies in the other. */
export const lies = (inner: AddressRange, outer: AddressRange): boolean =>
  inner.family === outer.family && inner.prefix >= outer.prefix &&
  inner.bits >> BigInt(widths[inner.family] - outer.prefix) ===
    outer.bits >> BigInt(widths[outer.family] - outer.prefix)

/** What systemd calls `localhost` in `IPAddressAllow=` (systemd.resource-control(5)). */
const loopback: ReadonlyArray<AddressRange> = [
  { family: 4, prefix: 8, bits: 127n << 24n, text: "127.0.0.0/8" },
  { family: 6, prefix: 128, bits: 1n, text: "::1" }
]

/** Whether it is this machine itself, which the unit always allows. */
export const isLoopback = (range: AddressRange): boolean => loopback.some((own) => lies(range, own))
