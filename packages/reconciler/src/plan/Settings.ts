import type { DesiredSettings } from "@felhom/domain/DesiredGuest"
import { Predicate } from "effect"
import * as Form from "./ConfigForm.ts"
import type { BenignKey } from "./ConfigKey.ts"
import {
  effectOf,
  type Finding,
  impossible,
  keyFindings,
  nothing,
  pendingFindings,
  rawText,
  type Seen
} from "./Finding.ts"
import { memoryFindings, swapFindings } from "./MemoryUse.ts"
import { cardFindings } from "./NetworkCard.ts"
import { unmetParts, type WishedPart, withParts } from "./PropertyChange.ts"
import { volumeFindings } from "./VolumeSize.ts"

type SettingName = keyof DesiredSettings
type Wished<Name extends SettingName> = NonNullable<DesiredSettings[Name]>
type Rule<Name extends SettingName> = (wished: Wished<Name>, seen: Seen) => ReadonlyArray<Finding>

const plain = (seen: Seen, key: BenignKey, form: Form.Form, text: string) =>
  keyFindings(seen, { drift: "settings", key, form, text })

const onlyOfContainers = {
  startup: "of a virtual machine it takes Sys.Modify, which the agent has not",
  swap: "a virtual machine has none from its host",
  nameserver: "a virtual machine's is cloud-init's, which the agent may not set"
} as const

/** Why a setting is none of a virtual machine's, or not the agent's to make there; undefined where nothing is wished of such. */
export const settingOfContainers = (wished: DesiredSettings): string | undefined => {
  for (const [what, why] of Object.entries(onlyOfContainers)) {
    if (Object.hasOwn(wished, what)) return `${what}: ${why}`
  }
  return undefined
}

const notOfMachines = (seen: Seen, what: keyof typeof onlyOfContainers) =>
  seen.guest.ref.type === "qemu" ? [impossible("settings", what, `${what}: ${onlyOfContainers[what]}`)] : undefined

const startupParts = (wished: Wished<"startup">): ReadonlyArray<WishedPart> =>
  Object.entries(wished).flatMap(([key, value]) =>
    value === undefined ? [] : [{ key, text: String(value), form: Form.numeric("") }]
  )

/** The same property string that a new guest is given and an old one is brought to. */
export const startupText = (before: string, wished: Wished<"startup">): string =>
  withParts(before, startupParts(wished), "order")

const startupFindings: Rule<"startup"> = (wished, seen) => {
  const never = notOfMachines(seen, "startup")
  if (never !== undefined) return never
  const { current, merged } = seen.guest
  const before = rawText(merged["startup"])
  const parts = startupParts(wished)
  if (unmetParts(before ?? "", parts, "order").length === 0) {
    const inForce = unmetParts(rawText(current["startup"]) ?? "", parts, "order")
    return pendingFindings(seen, "startup", String(inForce.length), "0")
  }
  const text = startupText(before ?? "", wished)
  return [{
    found: "key",
    drift: "settings",
    key: "startup",
    before,
    text,
    old: before,
    new: text,
    reason: "startup: it is not as wished",
    effect: effectOf(seen, "startup")
  }]
}

const nameFindings: Rule<"name"> = (wished, seen) => {
  const key = seen.guest.ref.type === "lxc" ? "hostname" : "name"
  const findings = plain(seen, key, Form.text, wished)
  return findings.some(({ found }) => found === "key") && seen.sharedNames.has(wished.toLowerCase())
    ? [
      impossible(
        "settings",
        key,
        `more than one guest of this host would be called ${wished}; wish for another name for one of them`,
        {
          old: rawText(seen.guest.merged[key]),
          new: wished
        }
      )
    ]
    : findings
}

const rule =
  <Name extends SettingName>(name: Name, find: Rule<Name>) =>
  (desired: DesiredSettings, seen: Seen): ReadonlyArray<Finding> => {
    const wished = desired[name]
    return Predicate.isNotNullable(wished) ? find(wished, seen) : nothing
  }

/** How each setting is held against a guest, in this order. One that has no rule does not compile. */
const rules: {
  readonly [Name in SettingName]-?: (desired: DesiredSettings, seen: Seen) => ReadonlyArray<Finding>
} = {
  name: rule("name", nameFindings),
  description: rule(
    "description",
    (wished, seen) => plain(seen, "description", Form.description, Form.description(wished))
  ),
  tags: rule("tags", (wished, seen) => plain(seen, "tags", Form.tags, Form.tags(wished.join(";")))),
  protection: rule("protection", (_, seen) => plain(seen, "protection", Form.onOff, "1")),
  onboot: rule("onboot", (wished, seen) => plain(seen, "onboot", Form.onOff, wished ? "1" : "0")),
  startup: rule("startup", startupFindings),
  cores: rule(
    "cores",
    (wished, seen) => plain(seen, "cores", Form.numeric(seen.guest.ref.type === "qemu" ? "1" : ""), String(wished))
  ),
  cpulimit: rule("cpulimit", (wished, seen) => plain(seen, "cpulimit", Form.numeric("0"), String(wished))),
  cpuunits: rule("cpuunits", (wished, seen) => plain(seen, "cpuunits", Form.numeric("100"), String(wished))),
  memory: rule("memory", memoryFindings),
  swap: rule(
    "swap",
    (wished, seen) => notOfMachines(seen, "swap") ?? swapFindings(wished, seen)
  ),
  nameserver: rule(
    "nameserver",
    (wished, seen) =>
      notOfMachines(seen, "nameserver") ??
        plain(seen, "nameserver", Form.list, wished.join(" "))
  ),
  nets: rule(
    "nets",
    (wished, seen) =>
      Object.entries(wished).sort(byKey).flatMap(([key, card]) => isCard(key) ? cardFindings(seen, key, card) : [])
  ),
  volumes: rule(
    "volumes",
    (wished, seen) => Object.entries(wished).sort(byKey).flatMap(([volume, size]) => volumeFindings(seen, volume, size))
  )
}

export const isCard = (key: string): key is `net${number}` => /^net\d+$/.test(key)

const byKey = ([one]: readonly [string, unknown], [other]: readonly [string, unknown]): number =>
  one < other ? -1 : one > other ? 1 : 0

const inOrder = Object.values(rules)

/** Everything in which the guest is not what is wished for it. */
export const settingFindings = (desired: DesiredSettings, seen: Seen): ReadonlyArray<Finding> => {
  const found: Array<Finding> = []
  for (const find of inOrder) found.push(...find(desired, seen))
  return found
}
