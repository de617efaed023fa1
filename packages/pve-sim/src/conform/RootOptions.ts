import type { ConsoleChange } from "../ConsoleChange.ts"

/** What a command changes, or why it cannot be carried out here; reading commands change nothing. */
export type Understood = ReadonlyArray<ConsoleChange> | string

export type Options = ReadonlyMap<string, string>

/** `--name value` and `--name=value`. A recorded command may have lost its quotes: a value goes on to the next option. */
export const options = (words: ReadonlyArray<string>): Options => {
  const found = new Map<string, string>()
  let last: string | undefined
  for (const word of words) {
    const [, name, inline] = /^--?([a-z][\w.-]*)(?:=(.*))?$/s.exec(word) ?? []
    if (name !== undefined) {
      found.set(name, inline ?? "")
      last = name
    } else if (last !== undefined) {
      const before = found.get(last) ?? ""
      found.set(last, before === "" ? word : `${before} ${word}`)
    }
  }
  return found
}

/** A list as Proxmox's commands take it. */
export const words = (text: string | undefined): ReadonlyArray<string> =>
  (text ?? "").split(/[\s,;]+/).filter((word) => word !== "")
