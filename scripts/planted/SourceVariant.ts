import { mkdtempSync, rmSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { rolldown } from "rolldown"

const root = fileURLToPath(new URL("../../", import.meta.url))

/** A line of a source file, without its indentation, and what stands there instead. */
export interface ChangedLine {
  /** From the project's root. */
  readonly file: string
  readonly line: string
  readonly instead: string
}

/** The file's text with the line changed; throws where that line is not there exactly once. */
const changed = (text: string, { file, instead, line }: ChangedLine): string => {
  const lines = text.split("\n")
  const found = lines.filter((one) => one.trim() === line).length
  if (found !== 1) throw new Error(`${file} has ${found} lines that read: ${line}`)
  return lines.map((one) => (one.trim() === line ? instead : one)).join("\n")
}

/**
 * A check, from a copy of all the code that it runs, in which these lines are others. The sources stay as they are; Effect itself
 * is the same one.
 */
export const withChanges = async <Check>(
  check: string,
  changes: ReadonlyArray<ChangedLine>,
  use: (check: Check) => Promise<void>
): Promise<void> => {
  const pending = new Set(changes)
  const build = await rolldown({
    input: join(root, check),
    platform: "node",
    external: [/^effect(?:\/|$)/],
    logLevel: "warn",
    plugins: [{
      name: "planted fault",
      transform: {
        order: "pre",
        handler: (text: string, id: string) => {
          let after = text
          for (const change of changes) {
            if (id !== join(root, change.file)) continue
            after = changed(after, change)
            pending.delete(change)
          }
          return after === text ? null : { code: after }
        }
      }
    }]
  })
  // Where Effect is found, and where vitest leaves to Node what is there.
  const folder = mkdtempSync(join(root, "scripts/node_modules/.planted-"))
  try {
    await build.write({ file: join(folder, "check.mjs"), format: "esm", codeSplitting: false })
    const [unused] = pending
    if (unused !== undefined) throw new Error(`${check} does not run ${unused.file}`)
    await use(await import(/* @vite-ignore */ pathToFileURL(join(folder, "check.mjs")).href))
  } finally {
    await build.close()
    rmSync(folder, { recursive: true, force: true })
  }
}
