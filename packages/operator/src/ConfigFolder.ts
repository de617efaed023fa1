import { Config, Effect, Option } from "effect"

const text = (name: string) => Config.option(Config.nonEmptyString(name))

/**
 * The folder of this person's settings: `felhom` in XDG_CONFIG_HOME, else in `~/.config`; none when there is not even a HOME.
 */
export const configFolder: Effect.Effect<Option.Option<string>> = Effect.map(
  Effect.orDie(Config.all([text("XDG_CONFIG_HOME"), text("HOME")])),
  ([xdg, home]) =>
    Option.map(
      Option.orElse(xdg, () => Option.map(home, (path) => `${path}/.config`)),
      (path) => `${path.replace(/\/+$/, "")}/felhom`
    )
)

/** The file of the host keys that this person accepted: FELHOM_KNOWN_HOSTS, else `known-hosts` in the folder. */
export const knownHostsFile: Effect.Effect<Option.Option<string>> = Effect.zipWith(
  Effect.orDie(text("FELHOM_KNOWN_HOSTS")),
  configFolder,
  (named, folder) => Option.orElse(named, () => Option.map(folder, (path) => `${path}/known-hosts`))
)
