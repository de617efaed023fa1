/** How many letters must be added, dropped or changed to make one name the other. */
const distance = (a: string, b: string): number => {
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const current = [row]
    for (let column = 1; column <= b.length; column++) {
      const substituted = (previous[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1)
      current.push(Math.min(substituted, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1))
    }
    previous = current
  }
  return previous[b.length] ?? 0
}

/** The right name that somebody most likely meant, if one is near enough to be meant at all. Letter case doesn't count. */
export const nearestName = (wrong: string, names: Iterable<string>): string | undefined => {
  const allowed = Math.max(2, Math.floor(wrong.length / 3))
  let best: { readonly name: string; readonly away: number } | undefined
  for (const name of names) {
    const away = distance(wrong.toLowerCase(), name.toLowerCase())
    if (away <= allowed && (best === undefined || away < best.away)) best = { name, away }
  }
  return best?.name
}
