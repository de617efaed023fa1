import { Either, Option, Predicate, Schema } from "effect"
import type { Method, ProxmoxReason } from "./ProxmoxError.ts"

/** A refusal as far as the wire tells it. */
export interface Classification {
  readonly reason: ProxmoxReason
  readonly detail: string
  readonly errors: { readonly [parameter: string]: string }
}

// First match wins: a lock's timeout before the lock, the more special of two texts before the general one (platform-facts 8).
const texts: ReadonlyArray<readonly [reason: ProxmoxReason, text: RegExp]> = [
  ["forbidden", /\b403 Permission check failed|^Permission check failed|only root can set/],
  ["guest-not-found", /^Configuration file 'nodes\/[^']+\/(?:lxc|qemu-server)\/\d+\.conf' does not exist/],
  ["snapshot-not-found", /snapshot '[^']*' does not exist/],
  ["storage-not-found", /(?:storage|volume) '[^']*' does not exist|No such storage/],
  ["task-not-found", /^no such task/],
  ["node-not-found", /^hostname lookup '[^']*' failed|no such cluster node/],
  [
    "already-exists",
    /\b(?:CT|VM) \d+ already exists|storage ID '[^']*' already defined|snapshot name '[^']*' already used/
  ],
  ["lock-timeout", /can't lock file '.*' - got timeout|Failed to obtain guest migration lock/],
  ["locked", /is locked \([a-z-]+\)/],
  ["conflict", /detected modified configuration|checksum mismatch/],
  ["protected", /protection mode enabled|cannot remove protected/],
  [
    "wrong-state",
    /already running|not running|container is running|can't overwrite running container|you can't start a CT if it's a template|already at specified size/
  ],
  ["no-quorum", /no quorum/],
  [
    "storage-offline",
    /storage '[^']*' is (?:not online|disabled|not available on node)|unable to activate storage|expected to be a mount point but is not mounted|error listing snapshots|Cannot find datastore/
  ],
  ["snapshot-impossible", /snapshot feature is not available|is not most recent snapshot/],
  ["unsupported", /property is not defined in schema/],
  ["too-large", /for data too large/],
  ["invalid", /no options specified|unable to shrink disk size|\(reserved name\)|format error|not a valid block device/]
]

/**
 * The kind of failure that a text of Proxmox names, in an answer or as a task's exit status; none when it is not known.
 *
 * @see platform-facts 8
 */
export const reasonOfText = (text: string): Option.Option<ProxmoxReason> =>
  Option.map(Option.fromNullable(texts.find(([, pattern]) => pattern.test(text))), ([reason]) => reason)

const parseJson = Schema.decodeUnknownEither(Schema.parseJson())

const wordsOf = (body: string): Pick<Classification, "detail" | "errors"> & { readonly json: boolean } => {
  const parsed = parseJson(body)
  if (Either.isLeft(parsed) || !Predicate.isRecord(parsed.right)) {
    return { detail: body.trim(), errors: {}, json: false }
  }
  const { errors, message } = parsed.right
  return {
    detail: typeof message === "string" ? message.trim() : "",
    errors: Predicate.isRecord(errors)
      ? Object.fromEntries(Object.entries(errors).map(([name, text]) => [name, String(text).trim()]))
      : {},
    json: true
  }
}

/**
 * Sorts an answer that is no success by method, status and body (platform-facts 3.4 and 8).
 *
 * Proxmox has no 404 and no 409: what happened stands in the text. The words are taken from `errors`, then from `message`,
 * which every answer with a body carries since pve-http-server 5.2 (late Proxmox VE 8; 9.1 is the oldest supported here). The
 * reason phrase is not used, because Effect's client does not hand it on: only the empty answers (401, and 500 while pmxcfs is
 * down) say less for it.
 */
export const classify = (answer: {
  readonly method: Method
  readonly status: number
  readonly body: string
}): Classification => {
  const { json, ...words } = wordsOf(answer.body)
  const isWrite = answer.method !== "GET"
  const as = (reason: ProxmoxReason, detail = words.detail): Classification => ({
    reason,
    detail,
    errors: words.errors
  })
  const byText = Option.firstSomeOf([words.detail, ...Object.values(words.errors)].map(reasonOfText))

  switch (answer.status) {
    case 401:
      return as("unauthorized")
    case 595:
      return as("not-started")
    case 502:
    case 503:
    case 504:
    case 596:
    case 597:
    case 599:
      return as(isWrite ? "outcome-unknown" : "unreachable")
  }
  // Only something before pveproxy, or instead of it, answers in HTML.
  if (!json && /^\s*</.test(answer.body)) {
    return as(isWrite && answer.status >= 500 ? "outcome-unknown" : "malformed", "an HTML page instead of JSON")
  }
  if (answer.status >= 300 && answer.status < 400) return as("malformed", "a redirect, which is never followed")
  if (answer.status === 403) return as("forbidden")
  if (answer.status === 501 || answer.status === 506) return as(Option.getOrElse(byText, () => "unsupported"))
  if (answer.status === 400) return as(Option.getOrElse(byText, () => "invalid"))
  return as(Option.getOrElse(byText, () => Object.keys(words.errors).length > 0 ? "invalid" : "other"))
}
