/** A spent nonce: 128 bits of its hash, and until when it must be kept, in seconds since the epoch. */
export interface NonceEntry {
  readonly key: NonceKey
  /** More than 0, at most 2^32 - 1, which is in the year 2106. */
  readonly until: number
}

export type NonceKey = readonly [number, number, number, number]

const wordsASlot = 5
const fewestSlots = 1024

/** How full the table may get: beyond it, looking for a key that is not there takes ever longer. */
const fullest = 0.75

/**
 * A set of keys in one array, found by open addressing: a million of them in 40 MB, where a `Map` takes three times that. A slot
 * is the key's four words and the time behind them; a time of 0 is a free slot. Keys are hashes, so their first word will do as
 * the place to look first.
 */
export class NonceTable {
  #slots: Uint32Array
  #mask: number
  #size = 0

  /** `expected` is how many keys are about to come, so that the table need not grow on the way. */
  constructor(expected = 0) {
    let slots = fewestSlots
    while (slots * fullest < expected) slots *= 2
    this.#slots = new Uint32Array(slots * wordsASlot)
    this.#mask = slots - 1
  }

  get size(): number {
    return this.#size
  }

  /** Where the key's slot begins, or else the free slot that it would get. */
  #find(a: number, b: number, c: number, d: number): number {
    const slots = this.#slots
    let slot = a & this.#mask
    let at = slot * wordsASlot
    while (
      slots[at + 4] !== 0 &&
      (slots[at] !== a || slots[at + 1] !== b || slots[at + 2] !== c || slots[at + 3] !== d)
    ) {
      slot = (slot + 1) & this.#mask
      at = slot * wordsASlot
    }
    return at
  }

  has([a, b, c, d]: NonceKey): boolean {
    return this.#slots[this.#find(a, b, c, d) + 4] !== 0
  }

  /** Takes the key in; false when it was there, which then keeps the later of both times. */
  add(a: number, b: number, c: number, d: number, until: number): boolean {
    if (this.#size >= (this.#mask + 1) * fullest) this.#grow()
    const at = this.#find(a, b, c, d)
    const slots = this.#slots
    const before = slots[at + 4]!
    if (before < until) slots[at + 4] = until
    if (before !== 0) return false
    slots[at] = a
    slots[at + 1] = b
    slots[at + 2] = c
    slots[at + 3] = d
    this.#size += 1
    return true
  }

  #grow(): void {
    const old = this.#slots
    this.#slots = new Uint32Array(old.length * 2)
    this.#mask = this.#mask * 2 + 1
    for (let at = 0; at < old.length; at += wordsASlot) {
      if (old[at + 4] === 0) continue
      this.#slots.set(old.subarray(at, at + wordsASlot), this.#find(old[at]!, old[at + 1]!, old[at + 2]!, old[at + 3]!))
    }
  }

  /** Calls with each key's slot: four words of key, then the time. The view is good for the call only. */
  forEach(visit: (slots: Uint32Array, at: number) => void): void {
    for (let at = 0; at < this.#slots.length; at += wordsASlot) {
      if (this.#slots[at + 4] !== 0) visit(this.#slots, at)
    }
  }
}
