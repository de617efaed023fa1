/** How many letters have to be put in, taken out, changed or swapped with their neighbour to make one word of the other. */
const distance = (one: string, other: string): number => {
  let earlier: ReadonlyArray<number> = []
  let before: ReadonlyArray<number> = Array.from({ length: other.length + 1 }, (_, index) => index)
  for (let row = 1; row <= one.length; row++) {
    const now = [row]
    for (let column = 1; column <= other.length; column++) {
      const same = one[row - 1] === other[column - 1]
      const swapped = row > 1 && column > 1 && one[row - 1] === other[column - 2] && one[row - 2] === other[column - 1]
      now.push(Math.min(
        (before[column] ?? 0) + 1,
        (now[column - 1] ?? 0) + 1,
        (before[column - 1] ?? 0) + (same ? 0 : 1),
        swapped ? (earlier[column - 2] ?? 0) + 1 : Infinity
      ))
    }
    earlier = before
    before = now
  }
  return before[other.length] ?? 0
}

/** Longer words than anybody misspells. */
const longest = 64

/** The word that was most likely meant; undefined when none is like it. */
export const nearest = (word: string, known: ReadonlyArray<string>): string | undefined => {
  if (word.length > longest) return undefined
  const [best] = known.filter(({ length }) => length <= longest)
    .map((one) => ({ one, far: distance(word.toLowerCase(), one.toLowerCase()) }))
    .toSorted((a, b) => a.far - b.far)
  return best !== undefined && best.far <= Math.max(1, Math.floor(word.length / 3)) ? best.one : undefined
}
