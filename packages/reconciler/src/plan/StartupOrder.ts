import { parsePropertyString, propertyOf } from "@felhom/domain/PropertyString"

/** After all that have an order. */
const last = Number.MAX_SAFE_INTEGER

/** The place of a guest in its host's startup order, from Proxmox's `order=1,up=30` or plain `1`. */
export const startupOrder = (raw: unknown): number => {
  if (typeof raw !== "string" && typeof raw !== "number") return last
  const property = parsePropertyString(String(raw))
  const order = Number(propertyOf(property, "order") ?? property.bare ?? "none")
  return Number.isSafeInteger(order) && order >= 0 ? order : last
}
