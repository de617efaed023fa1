import type { DesiredDetail } from "@felhom/domain/DesiredApi"
import type { DesiredGuest } from "@felhom/domain/DesiredGuest"
import { displayTextWithin } from "@felhom/domain/DisplayText"
import { humanDuration } from "@felhom/domain/HumanText"
import { formatGuestRef } from "@felhom/domain/ProxmoxId"
import { identityText } from "@felhom/reconciler/plan/Matching"
import type { PlanStep } from "@felhom/reconciler/plan/PlanStep"
import { stepWords, valueWords } from "@felhom/reconciler/plan/StepWords"
import { moment } from "../DisplayLines.ts"
import type { ResolvedGuest } from "./WishGuests.ts"

const units: { readonly [name: string]: string } = { memory: " MiB", swap: " MiB" }

const text = (value: unknown): string =>
  typeof value === "string"
    ? /^[\w./:,+-]{1,60}$/.test(value) ? value : displayTextWithin(JSON.stringify(value), 60)
    : Array.isArray(value)
    ? `[${displayTextWithin(value.join(", "), 60)}]`
    : String(value)

const flat = (value: object, before: string): ReadonlyArray<readonly [name: string, text: string]> =>
  Object.entries(value).flatMap(([key, inner]: [string, unknown]) => {
    const name = `${before}${key}`
    return typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? flat(inner, `${name}.`)
      : inner === undefined
      ? []
      : [[name, `${text(inner)}${units[name] ?? (before === "volumes." ? " GiB" : "")}`] as const]
  })

const settingsOf = (desired: DesiredGuest) => {
  const { guest: _, ...settings } = desired
  return flat(settings, "")
}

/** `power running, memory 2048 MiB, nets.net0.bridge vmbr1` */
export const wishWords = (desired: DesiredGuest): string =>
  settingsOf(desired).map(([name, value]) => `${name} ${value}`).join(", ") || "nothing but that it is named"

const changeWords = (before: DesiredGuest, after: DesiredGuest): string => {
  const [old, now] = [new Map(settingsOf(before)), new Map(settingsOf(after))]
  return [
    ...Array.from(now).flatMap(([name, value]) => {
      const was = old.get(name)
      return was === undefined ? [`${name} ${value}`] : was === value ? [] : [`${name} ${was} -> ${value}`]
    }),
    ...Array.from(old.keys()).flatMap((name) => now.has(name) ? [] : [`${name} as it is`])
  ].join(", ")
}

const whomOf = ({ guest: { identity, type } }: DesiredGuest): string => identityText(type, identity)

/** In quotes nowhere, so it is made safe here: people's names for guests are among it. */
const name = (called: string): string => displayTextWithin(called, 80)

/** How a new wish differs from what is published now, one line a guest; none where nothing does. */
export const changeLines = (
  wishes: ReadonlyArray<ResolvedGuest>,
  before: DesiredDetail | null
): ReadonlyArray<string> => {
  const known = new Map(before?.state.guests.map((guest) => [whomOf(guest), guest] as const))
  const meant = new Set(wishes.map(({ desired }) => whomOf(desired)))
  return [
    ...wishes.flatMap(({ called, desired }) => {
      const was = known.get(whomOf(desired))
      if (was === undefined) return [`+ ${name(called)}: ${wishWords(desired)}`]
      const changes = changeWords(was, desired)
      return changes === "" ? [] : [`~ ${name(called)}: ${changes}`]
    }),
    ...(before?.state.guests ?? []).flatMap((guest, index) =>
      meant.has(whomOf(guest))
        ? []
        : [`- ${name(before?.wishes[index]?.called ?? "?")}: is no longer named, and is left as it is`]
    )
  ]
}

const shortened = (value: string): string => displayTextWithin(value, 60)

/** One step of a plan: whom, what, from what to what, and why it may not be so. */
export const stepLines = (step: PlanStep): ReadonlyArray<string> => {
  const { guest: { name: named, ref } } = step
  const whom = ref === null ? `new ${named ?? "guest"}` : `${formatGuestRef(ref)}${named === null ? "" : ` ${named}`}`
  return [
    `${name(whom)}: ${stepWords(step)}${valueWords(step, shortened)}`,
    ...(step.class === "benign"
      ? [
        ...(step.effect === "next-start" ? ["  it holds from the guest's next start on"] : []),
        ...(step.waitsFor === null ? [] : [`  it waits: ${displayTextWithin(step.waitsFor, 320)}`])
      ]
      : [`  ${displayTextWithin(step.reason, 320)}`])
  ]
}

/** `version 12, applied by anna 3 d ago (2026-11-20 09:12 UTC): why`. */
export const appliedWords = ({ entry: { applied, reason } }: Pick<DesiredDetail, "entry">, now: number): string =>
  `version ${applied.version}, applied by ${displayTextWithin(applied.by, 60)} ${
    humanDuration(now - applied.at)
  } ago (${moment(applied.at)})${reason === "" ? "" : `: ${displayTextWithin(reason, 200)}`}`
