/** Numbers that a seed alone decides (mulberry32): the same seed gives the same ones, on every machine. */
export class Chance {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** Gives the numbers of this seed from now on, to all that took it before. */
  reseed(seed: number): void {
    this.#state = seed >>> 0
  }

  /** At least 0 and less than 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000
  }

  /** A whole number from 0 up to, and without, `below`. */
  below(below: number): number {
    return Math.floor(this.next() * below)
  }

  /** A whole number between the two, both included. */
  between(least: number, most: number): number {
    return least + this.below(most - least + 1)
  }

  /** True so often, from 0 to 1. */
  is(often: number): boolean {
    return this.next() < often
  }

  pick<A>(from: readonly [A, ...ReadonlyArray<A>]): A {
    return from[this.below(from.length)] ?? from[0]
  }

  /** One of them, or none where there is none. */
  any<A>(from: ReadonlyArray<A>): A | undefined {
    return from[this.below(from.length)]
  }

  /** So many hexadecimal digits. */
  hex(digits: number): string {
    let text = ""
    while (text.length < digits) text += this.below(0x1_0000_0000).toString(16).padStart(8, "0")
    return text.slice(0, digits)
  }

  /** A source of its own, which the numbers taken from this one later do not change. */
  fork(): Chance {
    return new Chance(this.below(0x1_0000_0000))
  }
}
