import { Command, Options, Prompt } from "@effect/cli"
import { Console, Effect, Option } from "effect"
import { hostname } from "node:os"
import { defaultConfigFile } from "../ConfigFile.ts"
import { type Ask, configure, type Configured } from "./Configure.ts"
import * as HostFiles from "./HostFiles.ts"
import { lineDiff } from "./LineDiff.ts"
import * as NameLookup from "./NameLookup.ts"

const given = (name: string, description: string) =>
  Options.text(name).pipe(
    Options.optional,
    Options.map(Option.getOrUndefined),
    Options.withDescription(description)
  )

const output = Options.choice("output", ["text", "json"]).pipe(
  Options.withDefault("text"),
  Options.withDescription("text for people, json for programs")
)

const asking: Ask<Prompt.Prompt.Environment> = (_place, words, offered) =>
  Prompt.run(Prompt.text({ message: words, ...(offered === undefined ? {} : { default: offered }) })).pipe(
    // Who ends the questions with Ctrl-C has not answered; nothing is written then.
    Effect.catchAll(() => Effect.interrupt),
    Effect.asSome
  )

const nobody: Ask<never> = () => Effect.succeedNone

const asText = ({ changes, next, written }: Configured): string => {
  const diffs = changes.flatMap(({ after, before, path }) => [
    `${path}${before === "" ? " (new)" : ""}`,
    ...lineDiff(before, after).map((line) => `  ${line}`),
    ""
  ])
  const verdict = changes.length === 0
    ? "nothing changes"
    : written
    ? `written: ${changes.map(({ path }) => path).join(", ")}`
    : "nothing was written (--dry-run)"
  return [...diffs, verdict, "", "next, as root:", ...next.map((step) => `  ${step}`)].join("\n")
}

/** `felhom-agent configure`. */
export const makeConfigureCommand = () =>
  Command.make(
    "configure",
    {
      output,
      config: Options.text("config").pipe(
        Options.withDefault(defaultConfigFile),
        Options.withDescription(`The config file to write (default ${defaultConfigFile})`)
      ),
      hubUrl: given("hub-url", "Where the hub answers, such as https://hub.example:8443"),
      hubFingerprint: given(
        "hub-fingerprint",
        "What the hub printed at its start; old and new with a comma between them"
      ),
      proxmoxUrl: given("proxmox-url", "Where Proxmox VE answers (default https://127.0.0.1:8006)"),
      proxmoxFingerprint: given("proxmox-fingerprint", "Its pins (default: the key of this host's own certificate)"),
      node: given("node", "The node's own name (default: this host's)"),
      tokenId: given("token-id", "The API token's id (default felhom-agent@pve!agent)"),
      allow: given("allow", "Further addresses and networks that it may speak to, with commas; empty takes them away"),
      root: Options.text("root").pipe(
        Options.withDefault(""),
        Options.withDescription("Write below this folder: a host's image instead of this host")
      ),
      dryRun: Options.boolean("dry-run").pipe(Options.withDescription("Show what would change, and change nothing"))
    },
    (options) =>
      Effect.gen(function*() {
        const interactive = options.output === "text" && process.stdin.isTTY
        const [hostName = ""] = hostname().split(".")
        const configured = yield* configure<Prompt.Prompt.Environment>({
          given: {
            "proxmox.url": options.proxmoxUrl,
            "proxmox.node": options.node,
            "proxmox.fingerprint": options.proxmoxFingerprint,
            "proxmox.tokenId": options.tokenId,
            "hub.url": options.hubUrl,
            "hub.fingerprint": options.hubFingerprint,
            "network.allow": options.allow
          },
          root: options.root.replace(/\/+$/, ""),
          configFile: options.config,
          hostName,
          dryRun: options.dryRun
        }, interactive ? asking : nobody)
        yield* Console.log(options.output === "json" ? JSON.stringify(configured, null, 2) : asText(configured))
      }).pipe(Effect.provide([HostFiles.layer, NameLookup.layer]))
  ).pipe(
    Command.withDescription(
      "Write the settings, and the list of addresses that the agent may speak to; asks for what is not given"
    )
  )
