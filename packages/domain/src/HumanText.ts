const gibibyte = 1024 ** 3

/**
 * Bytes as a person reads them: always GiB with one decimal, so that a column can be compared at a glance. What is there but
 * would show as 0.0 reads `<0.1 GiB`.
 */
export const humanBytes = (bytes: number): string => {
  const rounded = (bytes / gibibyte).toFixed(1)
  return rounded === "0.0" && bytes > 0 ? "<0.1 GiB" : `${rounded} GiB`
}

const steps: ReadonlyArray<readonly [unit: string, seconds: number]> = [["d", 86_400], ["h", 3_600], ["min", 60]]

/**
 * Milliseconds in the largest unit that fits, rounded down: `42 s`, `3 min`, `5 h`, `5 d`. A negative duration (two clocks
 * that differ) reads `0 s`.
 */
export const humanDuration = (milliseconds: number): string => {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000))
  const [unit, size] = steps.find(([, atLeast]) => seconds >= atLeast) ?? ["s", 1]
  return `${Math.floor(seconds / size)} ${unit}`
}

/** A share of one in whole per cent, rounded down so that only what is full reads `100 %`. */
export const humanShare = (share: number): string => `${Math.floor(share * 100)} %`
