import { displayText } from "@felhom/domain/DisplayText"
import { cutToWidth } from "./DisplayWidth.ts"

/** More of a stranger's text would push what matters off the screen. */
const longestName = 64
const longestList = 12

/** A name from the wire, in quotes, so that nobody takes it for our own words; what it can't show is shown as an escape. */
export const quoted = (text: string): string => quotedWithin(text, longestName)

/** The same, cut to so many columns. */
export const quotedWithin = (text: string, columns: number): string =>
  cutToWidth(displayText(JSON.stringify(text)), columns)

/** To the minute, by the calendar of everywhere. */
export const moment = (millis: number): string => `${new Date(millis).toISOString().slice(0, 16).replace("T", " ")} UTC`

/** One line of what a person is about to sign. */
export const row = (title: string, text: string): string => `  ${title.padEnd(12)} ${text}`

/** Items under one title, a dozen at most unless told otherwise. */
export const list = (
  title: string,
  items: ReadonlyArray<string>,
  none: string,
  most: number = longestList
): ReadonlyArray<string> => {
  const shown = items.slice(0, most)
  const more = items.length > shown.length ? [`and ${items.length - shown.length} more`] : []
  return [...(items.length === 0 ? [none] : shown), ...more].map((text, index) => row(index === 0 ? title : "", text))
}
