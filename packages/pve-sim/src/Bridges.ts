import { parsePropertyString, propertyOf } from "@felhom/domain/PropertyString"
import type { Guest } from "./Guest.ts"
import type { Machine } from "./Machine.ts"

const isThere = ({ world }: Machine, bridge: string): boolean =>
  world.bridges.includes(bridge) ||
  world.network.some((row) => row["iface"] === bridge && /^(?:OVS)?Bridge$/i.test(String(row["type"] ?? "")))

/** Why a card can't be put on its bridge, in Proxmox's words; undefined when it can. */
export const bridgeTrouble = (machine: Machine, card: string): string | undefined => {
  const bridge = propertyOf(parsePropertyString(card), "bridge")
  if (bridge === undefined) return undefined
  return isThere(machine, bridge) ? undefined : `bridge '${bridge}' does not exist`
}

/** Whether a guest has a card that can't be put on its bridge: it is taken when it is written, and fails at the start. */
export const lacksBridge = (machine: Machine, { file }: Guest): boolean =>
  [...file.current.values].some(([key, card]) => /^net\d+$/.test(key) && bridgeTrouble(machine, card) !== undefined)
