/** What differs by nature inside of a text, and is a name for something all the same: archives, addresses, digests. */
const names = [
  // The time in an archive's name is that of its backup.
  /vzdump-(?:lxc|qemu)-\d+-\d{4}_\d\d_\d\d-\d\d_\d\d_\d\d/g,
  /(?:[0-9A-F]{2}:){5}[0-9A-F]{2}(?![:0-9A-F])/g,
  // A digest is taken over a text in which the times of snapshots and fresh addresses stand.
  /\b[0-9a-f]{40}\b/g,
  /UPID:[^:\s]+:[0-9A-F]{8}:[0-9A-F]{8,9}:[0-9A-F]{8}:[^:\s]+:[^:\s]*:[^:\s]+:/g
]

const anyName = new RegExp(names.map((name) => name.source).join("|"), "g")

const kindOf = (token: string): string =>
  token.startsWith("UPID:")
    ? token.split(":").filter((_, at) => ![2, 3, 4].includes(at)).join(":")
    : token.startsWith("vzdump-")
    ? token.split("-").slice(0, 3).join("-")
    : token.includes(":")
    ? "address"
    : "digest"

/**
 * Names that the real host made up, and those that the simulated one made up in their place. One stands for exactly one
 * other, so that two that were equal there are equal here, and two that differed differ.
 */
export class Renames {
  readonly #there = new Map<string, string>()
  readonly #here = new Map<string, string>()
  readonly #fixed: string

  /** What stands in `fixed`, the text of the world, has its name already and keeps it. */
  constructor(fixed: string) {
    this.#fixed = fixed
  }

  /** The pairs that are not the same, recorded name first. */
  get renamed(): ReadonlyArray<readonly [recorded: string, simulated: string]> {
    return Array.from(this.#there).filter(([recorded, simulated]) => recorded !== simulated)
  }

  /** Whether a recorded text is the simulated one, but for names that stand for each other. Learns from those that do. */
  same(recorded: string, simulated: string): boolean {
    const [left, right] = [recorded.match(anyName) ?? [], simulated.match(anyName) ?? []]
    const frame = (text: string): string => text.replace(anyName, (token) => `<${kindOf(token)}>`)
    return frame(recorded) === frame(simulated) && left.every((token, at) => this.#pair(token, right[at] ?? ""))
  }

  #pair(recorded: string, simulated: string): boolean {
    const known = this.#there.get(recorded)
    if (known !== undefined) return known === simulated
    if (recorded !== simulated && (this.#fixed.includes(recorded) || this.#here.has(simulated))) return false
    this.#there.set(recorded, simulated)
    this.#here.set(simulated, recorded)
    return true
  }

  /** A recorded path or body with the simulated host's names; encoded as it was. */
  translate(text: string): string {
    return text
      .replace(/UPID%3A[^/?&]*/g, (encoded) => {
        const here = this.#there.get(decodeURIComponent(encoded))
        return here === undefined ? encoded : encodeURIComponent(here)
      })
      .replace(/(?:[0-9A-F]{2}%3A){5}[0-9A-F]{2}/g, (encoded) => {
        const here = this.#there.get(decodeURIComponent(encoded))
        return here === undefined ? encoded : encodeURIComponent(here)
      })
      .replace(anyName, (token) => this.#there.get(token) ?? token)
  }
}
