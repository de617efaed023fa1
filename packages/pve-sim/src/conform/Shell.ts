/** One command of a script, its redirections apart. */
export interface ShellCommand {
  readonly words: ReadonlyArray<string>
  /** It may have failed on the real host, and nobody minded: behind a condition, or with its errors thrown away. */
  readonly lenient: boolean
  /** Where its output goes to, when that is a file. */
  readonly target?: { readonly path: string; readonly append: boolean }
  /** The text of its here-document. */
  readonly input?: string
}

/** The words of `for x in A B; do …; done` put into its body, the innermost loop first. */
const unrolled = (script: string): string => {
  const loop = /\bfor (\w+) in ([^;\n]*?)\s*[;\n]\s*do\b((?:(?!\bfor \w+ in\b)[\s\S])*?)[;\n]\s*done\b/
  let text = script
  for (let left = 100; left > 0; left--) {
    const found = loop.exec(text)
    if (found === null) break
    const [whole, name = "", list = "", body = ""] = found
    const variable = new RegExp(`\\$(?:\\{${name}\\}|${name}\\b)`, "g")
    const items = list.includes("$(") ? [list] : list.split(/\s+/).filter((item) => item !== "")
    text = text.replace(whole, () => items.map((item) => body.replace(variable, () => item)).join(";"))
  }
  return text
}

/** `NAME=value` in front of what uses `$NAME`. */
const substituted = (script: string): string => {
  let text = script
  for (const [, name = "", value = ""] of script.matchAll(/(?:^|[;\n]\s*)([A-Za-z_]\w*)=([^\s;$`"'()]+)(?=[;\n]|$)/g)) {
    text = text.replaceAll(new RegExp(`\\$(?:\\{${name}\\}|${name}\\b)`, "g"), () => value)
  }
  return text
}

const hereDocument = /<<-?\s*(['"]?)(\w+)\1([^\n]*)\n([\s\S]*?)\n?^\s*\2[ \t]*$/m

interface Building {
  words: Array<string>
  lenient: boolean
  target: { readonly path: string; readonly append: boolean } | undefined
  input: string | undefined
  silent: boolean
}

const started = (lenient: boolean): Building => ({
  words: [],
  lenient,
  target: undefined,
  input: undefined,
  silent: false
})

const tokens =
  /"((?:[^"\\]|\\[\s\S])*)"|'([^']*)'|(&>\s*\S+|\d?>>?&?\s*[^\s;|&]+)|(\|\||&&|[;|\n&])|(\$\((?:[^()]|\([^()]*\))*\)|(?:\\[\s\S]|\$\((?:[^()]|\([^()]*\))*\)|[^\s;|&"'>\\])+)/g

const isCondition = (words: ReadonlyArray<string>): boolean => ["[", "[[", "test", "!"].includes(words[0] ?? "")

/** What a redirection says: errors thrown away, or a file that is written. */
const redirected = (command: Building, text: string): void => {
  const [, stream = "", arrows = "", path = ""] = /^([&\d]?)(>>?)&?\s*(.*)$/s.exec(text) ?? []
  const away = path === "/dev/null"
  if (away && stream !== "2") command.silent = true
  if ((away && (stream === "2" || stream === "&")) || (command.silent && stream === "2" && path === "1")) {
    command.lenient = true
  }
  if ((stream === "" || stream === "1") && path.startsWith("/") && !path.startsWith("/dev/")) {
    command.target = { path, append: arrows === ">>" }
  }
}

/**
 * A shell line taken apart into simple commands, in their order. Of `a || b` only `a` is kept, since on the real host it went
 * well, unless `a` is a condition: then `b` may have been run. What a pipe passes on to is left out.
 */
export const shellCommands = (script: string): ReadonlyArray<ShellCommand> => {
  const inputs: Array<string> = []
  let text = script.replace(/^bash -l?c\s+/, "")
  for (let found = hereDocument.exec(text); found !== null; found = hereDocument.exec(text)) {
    const [whole, , , rest = "", body = ""] = found
    const at = inputs.push(body) - 1
    text = text.replace(whole, () => `\u0001${at}\u0001${rest}`)
  }
  text = unrolled(substituted(text))
  const done: Array<ShellCommand> = []
  let command = started(false)
  let skipping = false
  let depth = 0
  let conditional = false
  const close = (): void => {
    const [first = ""] = command.words
    const isLoopWord = ["do", "then", "else", "done", "fi", "if", "while", "{", "}", "(", ")"].includes(first)
    const words = isLoopWord ? command.words.slice(1) : command.words
    if (words.length > 0) {
      done.push({
        words,
        lenient: command.lenient,
        ...(command.target === undefined ? {} : { target: command.target }),
        ...(command.input === undefined ? {} : { input: command.input })
      })
    }
  }
  for (const [, double, single, redirect, separator, word] of text.matchAll(tokens)) {
    if (separator !== undefined) {
      const condition = isCondition(command.words) || command.words[0] === "if"
      close()
      const ends = separator === ";" || separator === "\n" || separator === "&"
      if (condition && !ends) conditional = true
      else if (ends && depth === 0) conditional = false
      skipping = condition && separator === "||"
        ? false
        : separator === "||" || separator === "|" || (skipping && !ends)
      command = started(conditional)
      continue
    }
    if (redirect !== undefined) redirected(command, redirect)
    else if (word === "{" && command.words.length === 0) depth++
    else if (word === "}" && command.words.length === 0) depth = Math.max(0, depth - 1)
    else if (!skipping) {
      const [, at] = /^\u0001(\d+)\u0001$/.exec(word ?? "") ?? []
      if (at === undefined) command.words.push(double?.replaceAll(/\\(.)/g, "$1") ?? single ?? word ?? "")
      else command.input = inputs[Number(at)] ?? ""
    }
  }
  close()
  return done
}
