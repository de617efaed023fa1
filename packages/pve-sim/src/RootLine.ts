/** The line in which a root helper says no: `verb` as the agent calls it, the reason and its words. */
export const refusedLine = (
  verb: "pctCreate" | "mount" | "smart",
  reason: "invalid" | "refused" | "unavailable" | "failed",
  detail: string
): string => JSON.stringify({ ok: false, error: { verb, reason, detail, _tag: "PrivilegedError" } })
