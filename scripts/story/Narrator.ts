import { displayText } from "@felhom/domain/DisplayText"
import { Console, type Effect } from "effect"

const colours = process.stdout.isTTY && process.env["NO_COLOR"] === undefined
const paint = (code: string) => (text: string): string => (colours ? `\u001b[${code}m${text}\u001b[0m` : text)
const bold = paint("1")
const dim = paint("2")
const green = paint("32")

/** A chapter of the story. */
export const chapter = (number: number, title: string): Effect.Effect<void> =>
  Console.log(`\n${bold(`${number}. ${title}`)}`)

const width = 110

/** Breaks a text between words, so that it stays beside its mark on a terminal of usual width. */
const wrapped = (text: string, indent: string): string => {
  const lines: Array<string> = []
  for (const word of text.split(" ")) {
    const last = lines.at(-1)
    if (last === undefined || last.length + 1 + word.length > width - indent.length) lines.push(word)
    else lines[lines.length - 1] = `${last} ${word}`
  }
  return lines.join(`\n${indent}`)
}

/** What happens, in a stranger's words. */
export const tell = (text: string): Effect.Effect<void> => Console.log(`   ${wrapped(text, "   ")}`)

/** What was expected and came. */
export const seen = (text: string): Effect.Effect<void> => Console.log(`   ${green("->")} ${wrapped(text, "      ")}`)

/** What a program of ours prints, as it prints it. */
export const quote = (text: string): Effect.Effect<void> =>
  Console.log(
    text.replace(/\n+$/, "").split("\n").map((line) => `   ${dim("|")} ${colours ? line : displayText(line)}`).join(
      "\n"
    )
  )

/** What is too long for a line of a terminal ends where the line does; the beginning tells. */
export const line = (text: string): Effect.Effect<void> =>
  Console.log(
    text.split("\n").map((part) => {
      const safe = displayText(part)
      return `   ${safe.length > width ? `${safe.slice(0, width - 1)}…` : safe}`
    }).join("\n")
  )

/** A command that the reader could type. */
export const command = (text: string): Effect.Effect<void> => Console.log(`   ${dim("$")} ${text}`)
