/** What changes between two texts, line by line: `- ` gone, `+ ` new, two blanks for what stays. For files of a few dozen lines. */
export const lineDiff = (before: string, after: string): ReadonlyArray<string> => {
  const [old, young] = [before, after].map((text) => (text === "" ? [] : text.replace(/\n$/, "").split("\n")))
  if (old === undefined || young === undefined) return []
  // The length of the longest common part of what is left of both, from each place on.
  const common = Array.from({ length: old.length + 1 }, () => young.map(() => 0))
  const at = (one: number, other: number): number => common[one]?.[other] ?? 0
  for (let one = old.length - 1; one >= 0; one -= 1) {
    for (let other = young.length - 1; other >= 0; other -= 1) {
      const row = common[one]
      if (row !== undefined) {
        row[other] = old[one] === young[other]
          ? at(one + 1, other + 1) + 1
          : Math.max(at(one + 1, other), at(one, other + 1))
      }
    }
  }
  const lines: Array<string> = []
  let [one, other] = [0, 0]
  while (one < old.length || other < young.length) {
    if (one < old.length && other < young.length && old[one] === young[other]) {
      lines.push(`  ${old[one]}`)
      one += 1
      other += 1
    } else if (other >= young.length || (one < old.length && at(one + 1, other) >= at(one, other + 1))) {
      lines.push(`- ${old[one]}`)
      one += 1
    } else {
      lines.push(`+ ${young[other]}`)
      other += 1
    }
  }
  return lines
}
