/** Where the search for one pattern stands: after a `*` it can be taken up again one character further on. */
const matchesPattern = (text: string, pattern: string): boolean => {
  let at = 0
  let inText = 0
  let star = -1
  let resumeAt = 0
  while (inText < text.length) {
    if (pattern[at] === "*") {
      star = at
      at += 1
      resumeAt = inText
    } else if (at < pattern.length && (pattern[at] === "?" || pattern[at] === text[inText])) {
      at += 1
      inText += 1
    } else if (star >= 0) {
      at = star + 1
      resumeAt += 1
      inText = resumeAt
    } else {
      return false
    }
  }
  while (pattern[at] === "*") at += 1
  return at === pattern.length
}

/** Longer patterns match nothing in OpenSSH, whatever they say. */
export const longestPattern = 1022

/**
 * Whether the text is on a list of patterns with commas (PATTERNS in ssh_config(5)): `*` and `?` are wild, and one that
 * begins with `!` excludes, whatever else matches. Texts are compared byte by byte, upper and lower case apart.
 */
export const matchesList = (text: string, list: string): boolean => {
  let positive = false
  for (const entry of list.split(",")) {
    const negated = entry.startsWith("!")
    const pattern = negated ? entry.slice(1) : entry
    if (pattern.length > longestPattern) return false
    if (!matchesPattern(text, pattern)) continue
    if (negated) return false
    positive = true
  }
  return positive
}

/** The one name that the list stands for, when it is a plain name and no pattern. */
export const onlyName = (list: string): string | undefined => (/[*?!,]/.test(list) ? undefined : list)
