import { displayTextWithin } from "@felhom/domain/DisplayText"
import { ParseResult } from "effect"

const longestWords = 600

/** What is wrong with a value, on one short line; what it quotes of the value can't harm a terminal. */
export const problemWords = (problem: ParseResult.ParseIssue | ParseResult.ParseError): string =>
  displayTextWithin(
    (problem instanceof ParseResult.ParseError
      ? ParseResult.ArrayFormatter.formatErrorSync(problem)
      : ParseResult.ArrayFormatter.formatIssueSync(problem))
      .map(({ message, path }) => (path.length === 0 ? message : `${path.map(String).join(".")}: ${message}`))
      .join("; "),
    longestWords
  )
