import { displayTextWithin } from "./DisplayText.ts"
import { type Health, healthBounds, type HealthLine, rankOf } from "./Health.ts"
import type { HealthBook, KeptSubject } from "./HealthBook.ts"
import type { EpochMillis } from "./Time.ts"

const lineOf = (
  { id, kind, name, reasons, since, state, storages }: KeptSubject,
  also: ReadonlyArray<string>
): HealthLine => ({
  kind,
  name: displayTextWithin(name, 80),
  id: displayTextWithin(id, 80),
  state,
  since,
  reasons: [...reasons, ...also].slice(0, healthBounds.reasons).map((reason) =>
    displayTextWithin(reason, healthBounds.letters)
  ),
  storages
})

const before = (a: string, b: string): number => a < b ? -1 : a > b ? 1 : 0

/**
 * What is told of a book: things that were there at the last look, grouped by what lies at the root of their trouble, the worst first.
 * A storage in trouble on a disk that fails is told with the disk and not again.
 */
export const healthOf = (book: HealthBook, lookedAt: EpochMillis): Health => {
  const present = book.subjects.filter(({ seenAt }) => seenAt >= lookedAt)
  const bad = rankOf("warn")
  const roots = present.filter(({ kind, state }) => (kind === "disk" || kind === "disk-set") && state === "fail")
  const follows = new Map<KeptSubject, KeptSubject>()
  for (const subject of present) {
    const root = roots.find(({ storages }) => storages.some((storage) => storage === subject.name))
    if (subject.kind === "storage" && rankOf(subject.state) >= bad && root !== undefined) follows.set(subject, root)
  }
  const lines = present.filter((subject) => !follows.has(subject)).map((subject) =>
    lineOf(
      subject,
      Array.from(follows).flatMap(([storage, root]) =>
        root === subject ? storage.reasons.map((reason) => `storage ${storage.name} on it: ${reason}`) : []
      )
    )
  ).toSorted((a, b) => rankOf(b.state) - rankOf(a.state) || before(a.kind, b.kind) || before(a.name, b.name))
  return {
    lookedAt,
    lines: lines.slice(0, healthBounds.lines),
    omitted: Math.max(0, lines.length - healthBounds.lines)
  }
}
