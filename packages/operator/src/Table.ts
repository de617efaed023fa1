import { displayText } from "@felhom/domain/DisplayText"
import { cutToWidth, displayWidth } from "./DisplayWidth.ts"

export type Tone = "good" | "warning" | "bad" | "dim" | "strong"

/** A piece of text with a meaning that a terminal may show as a colour. */
export interface Toned {
  readonly text: string
  readonly tone: Tone
}
export type Cell = string | Toned

export const toned = (tone: Tone, text: string): Toned => ({ tone, text })

const codes: { readonly [tone in Tone]: string } = { good: "32", warning: "33", bad: "31", dim: "2", strong: "1" }

/**
 * The one way from a text to the terminal: whatever came from the wire can't move the cursor, change colours or turn the
 * direction of the line.
 */
export const paint = (cell: Cell, colours: boolean): string => {
  const text = displayText(typeof cell === "string" ? cell : cell.text)
  return colours && typeof cell !== "string" && text !== "" ? `\u001b[${codes[cell.tone]}m${text}\u001b[0m` : text
}

export interface Column {
  readonly title: string
  readonly align?: "left" | "right"
  /** Longer cells are cut to this many columns. */
  readonly atMost?: number
}

const fitted = (cell: Cell, atMost: number | undefined): Cell => {
  const text = displayText(typeof cell === "string" ? cell : cell.text)
  const cut = atMost === undefined ? text : cutToWidth(text, atMost)
  return typeof cell === "string" ? cut : { ...cell, text: cut }
}

const widthOf = (cell: Cell): number => displayWidth(displayText(typeof cell === "string" ? cell : cell.text))

/** Lines of a table, aligned by what a terminal shows. The last column is not padded. */
export const renderTable = (
  columns: ReadonlyArray<Column>,
  rows: ReadonlyArray<ReadonlyArray<Cell>>,
  colours: boolean
): ReadonlyArray<string> => {
  const lines = [
    columns.map(({ title }) => toned("dim", title)),
    ...rows.map((row) => columns.map((column, index) => fitted(row[index] ?? "", column.atMost)))
  ]
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => widthOf(line[index] ?? ""))))
  return lines.map((line) =>
    line.map((cell, index) => {
      const padding = " ".repeat((widths[index] ?? 0) - widthOf(cell))
      const text = paint(cell, colours)
      return columns[index]?.align === "right" ? padding + text : text + (index === columns.length - 1 ? "" : padding)
    }).join("  ").trimEnd()
  )
}

const barCells = 10

/** A bar of ten cells for a share between nothing and all. */
export const bar = (share: number): string => {
  const full = Math.min(barCells, Math.max(0, Math.round(share * barCells)))
  return "█".repeat(full) + "░".repeat(barCells - full)
}
