import { Either } from "effect"
import { settingsOf } from "../ConfigFile.ts"
import { type FileSetting, fileSettings } from "../SettingName.ts"

/** Settings by their place in the config file. A list stands as one. */
export type Chosen = { readonly [place in FileSetting]?: string | ReadonlyArray<string> }

type Tree = { readonly [key: string]: unknown }

const isTree = (value: unknown): value is Tree => typeof value === "object" && value !== null && !Array.isArray(value)

const parsed = (text: string): Either.Either<Tree, ReadonlyArray<string>> => {
  const value = Either.try({
    try: (): unknown => JSON.parse(text),
    // The engine's own message quotes the file.
    catch: () => ["is not valid JSON: mend it, or move it away and begin anew"]
  })
  // What does not hold is not taken over; a secret in it would be told of here, too.
  return Either.flatMap(value, (tree) => Either.flatMap(settingsOf(tree), () => Either.right(isTree(tree) ? tree : {})))
}

/**
 * A config file's text with the settings that were chosen, and all others as they stood. `Left` with what is wrong with the file
 * that is there: then nothing of it is touched.
 */
export const configText = (before: string | undefined, chosen: Chosen): Either.Either<string, ReadonlyArray<string>> =>
  Either.map(before === undefined ? Either.right({}) : parsed(before), (tree) => {
    let result: Tree = tree
    for (const place of Object.keys(fileSettings)) {
      const value = Object.entries(chosen).find(([name]) => name === place)?.[1]
      if (value === undefined) continue
      const [section = "", key] = place.split(".")
      const inner = result[section]
      result = { ...result, [section]: key === undefined ? value : { ...(isTree(inner) ? inner : {}), [key]: value } }
    }
    return `${JSON.stringify(result, null, 2)}\n`
  })

/** What a file said of a setting, if it did. */
export const settingIn = (before: string | undefined, place: FileSetting): string | undefined =>
  before === undefined ? undefined : Either.match(Either.flatMap(parsed(before), settingsOf), {
    onLeft: () => undefined,
    onRight: (texts) => texts.get(fileSettings[place])
  })
