import { Either } from "effect"

/** The first section of an archived configuration, without its comments: what is in force (platform-facts 5.3). */
export const linesOf = (text: string): ReadonlyArray<string> => {
  const lines = text.split("\n").map((line) => line.trimEnd())
  const section = lines.findIndex((line) => line.startsWith("["))
  return (section < 0 ? lines : lines.slice(0, section)).filter((line) => line !== "" && !line.startsWith("#"))
}

const lineForm = /^([a-zA-Z][\w.-]*):\s?(.*)$/

/** One line taken apart; left: why it can't be. */
export const archivedLine = (line: string): Either.Either<{ readonly key: string; readonly value: string }, string> => {
  const [, key, value = ""] = lineForm.exec(line) ?? []
  return key === undefined ? Either.left("its configuration can't be read") : Either.right({ key, value })
}
