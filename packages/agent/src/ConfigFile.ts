import { FileSystem } from "@effect/platform"
import { type SystemErrorReason } from "@effect/platform/Error"
import { displayText } from "@felhom/domain/DisplayText"
import { Effect, Either } from "effect"
import { nearestName } from "./NearestName.ts"
import { environmentPrefix, fileSettings, secretSettings } from "./SettingName.ts"
import { SettingsError } from "./SettingsError.ts"

/** Where the config is when nobody says otherwise. Absent, the environment alone decides. */
export const defaultConfigFile = "/etc/felhom-agent/config.json"

const sections = new Set(
  Object.keys(fileSettings).filter((place) => place.includes(".")).map((place) => place.split(".")[0])
)

const isObject = (value: unknown): value is { readonly [key: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const textOf = (place: string, value: unknown): Either.Either<string, string> => {
  if (typeof value === "string") return Either.right(value)
  const several = place.endsWith(".fingerprint") || place === "network.allow"
  if (several && Array.isArray(value) && value.every((item) => typeof item === "string")) {
    return Either.right(value.join(","))
  }
  const expected = several ? "a text or a list of texts" : "a text"
  return Either.left(`${place} must be ${expected}`)
}

const secretNames: ReadonlyMap<string, string> = new Map(Object.entries(secretSettings))

const refusal = (place: string): string => {
  const secret = secretNames.get(place)
  const name = place.split(".").at(-1) ?? place
  if (secret !== undefined || /secret|password|passwd|apikey/i.test(name)) {
    const section = place.startsWith("hub") ? "hub" : "proxmox"
    const variable = secret ?? secretSettings[`${section}.token`]
    return `${
      displayText(place)
    } is a secret and must not stand in the config file: remove it there (and change it, if ` +
      `others could read the file); give it as ${environmentPrefix}${variable}, as the credential ${section}-token ` +
      `(systemd LoadCredential=), or in a file of its own named by ${section}.tokenFile`
  }
  const near = nearestName(place, Object.keys(fileSettings))
  return `unknown key ${displayText(place)}` + (near === undefined ? "" : `; did you mean ${near}?`)
}

/** Reads the settings of a parsed config file, by the name of their environment variable. Pure; all problems at once. */
export const settingsOf = (parsed: unknown): Either.Either<ReadonlyMap<string, string>, ReadonlyArray<string>> => {
  if (!isObject(parsed)) return Either.left(["the file must hold one JSON object"])
  const names: ReadonlyMap<string, string> = new Map(Object.entries(fileSettings))
  const found = new Map<string, string>()
  const problems: Array<string> = []
  const visit = (place: string, value: unknown): void => {
    const name = names.get(place)
    if (name === undefined) {
      problems.push(refusal(place))
      return
    }
    Either.match(textOf(place, value), {
      onLeft: (problem) => problems.push(problem),
      onRight: (text) => found.set(name, text)
    })
  }
  for (const [key, value] of Object.entries(parsed)) {
    if (sections.has(key) && isObject(value)) {
      for (const [inner, innerValue] of Object.entries(value)) visit(`${key}.${inner}`, innerValue)
    } else if (sections.has(key)) problems.push(`${key} must be an object with its own keys`)
    else visit(key, value)
  }
  return problems.length === 0 ? Either.right(found) : Either.left(problems)
}

const unreadable = (reason: SystemErrorReason): string =>
  reason === "NotFound"
    ? "there is no such config file"
    : reason === "PermissionDenied"
    ? "may not be read by this user"
    : `could not be read (${reason})`

/**
 * The settings in the config file. A file that was named must be there; the default one may be absent. Unknown keys are
 * refused, since a typo would otherwise be a setting that silently isn't set.
 */
export const readConfigFile = (
  file: { readonly path: string; readonly named: boolean }
): Effect.Effect<ReadonlyMap<string, string>, SettingsError, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const refuse = (problem: string) => new SettingsError({ problems: [`${file.path}: ${problem}`] })
    const content = yield* fs.readFileString(file.path).pipe(
      Effect.catchTags({
        SystemError: ({ reason }) =>
          reason === "NotFound" && !file.named ? Effect.succeed("{}") : Effect.fail(refuse(unreadable(reason))),
        BadArgument: (error) => Effect.fail(refuse(error.message))
      })
    )
    const parsed: unknown = yield* Effect.try({
      try: () => JSON.parse(content),
      // The engine's own message quotes the file, which may hold what somebody mistook for its place.
      catch: () => refuse("is not valid JSON")
    })
    return yield* Either.mapLeft(
      settingsOf(parsed),
      ([first = "can't be used", ...others]) =>
        new SettingsError({
          problems: [`${file.path}: ${first}`, ...others.map((problem) => `${file.path}: ${problem}`)]
        })
    )
  })
