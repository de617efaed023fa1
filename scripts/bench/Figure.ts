/** One measured figure. Smaller is better for all of them. */
export interface Figure {
  /** As in docs/performance.md: A1, B2. */
  readonly id: string
  readonly name: string
  readonly value: number
  /** Behind the value: `x` for a ratio, a unit or nothing for others. */
  readonly unit: string
  /** Beyond it the bench fails; null for a figure that is only told. */
  readonly gate: number | null
  /** Where we want to be. */
  readonly goal: number | null
  /** What the value was made from, in absolute figures. */
  readonly detail: string
}

export type Verdict = "FAIL" | "gate" | "goal" | "told"

/** A value that is no number was not measured, and fails. */
export const verdictOf = ({ gate, goal, value }: Figure): Verdict => {
  if (gate === null) return "told"
  if (!(value <= gate)) return "FAIL"
  return goal !== null && value <= goal ? "goal" : "gate"
}

export const anyFailed = (figures: ReadonlyArray<Figure>): boolean =>
  figures.some((figure) => verdictOf(figure) === "FAIL")

const digits = (value: number): string => {
  if (!Number.isFinite(value)) return "not measured"
  const size = Math.abs(value)
  return value.toFixed(size >= 100 || Number.isInteger(value) ? 0 : size >= 10 ? 1 : 2)
}

const bound = (value: number | null): string => (value === null ? "-" : String(Number(value.toFixed(3))))

/** The figures as lines of text: the value first, then what it is held against. */
export const tableOf = (figures: ReadonlyArray<Figure>): string => {
  const rows = [
    ["", "VALUE", "GATE", "GOAL", "", "FIGURE"],
    ...figures.map((figure) => [
      figure.id,
      `${digits(figure.value)}${figure.unit === "" ? "" : ` ${figure.unit}`}`,
      bound(figure.gate),
      bound(figure.goal),
      verdictOf(figure),
      figure.name
    ])
  ]
  const widths = [0, 1, 2, 3, 4].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows.map((row, index) => {
    const cells = row.map((cell, column) => (column === 5 ? cell : cell.padEnd(widths[column] ?? 0))).join("  ")
    const detail = figures[index - 1]?.detail ?? ""
    return detail === "" ? cells : `${cells}\n${" ".repeat((widths[0] ?? 0) + 2)}${detail}`
  }).join("\n")
}
