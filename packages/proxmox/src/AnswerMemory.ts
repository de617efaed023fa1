/**
 * The last answers to what is asked again and again, by URL: an answer whose whole text is that of the last one gives what that
 * one gave, the same object, so whoever read it once need not read it again. Nothing is kept by time: a request is made each
 * time, and only its answer's text decides.
 */
export interface AnswerMemory<A> {
  /** What this very text gave the last time at this URL. */
  readonly recall: (url: string, text: string) => A | undefined
  readonly keep: (url: string, text: string, answer: A) => void
}

// More than a cycle asks of a host with a few dozen guests, whose configurations are read in turn.
const urlsAtMost = 64
// Beyond that a list is long and seldom the same.
const textAtMost = 65_536

export const make = <A>(): AnswerMemory<A> => {
  const last = new Map<string, { readonly text: string; readonly answer: A }>()
  return {
    recall: (url, text) => {
      const kept = last.get(url)
      return kept?.text === text ? kept.answer : undefined
    },
    keep: (url, text, answer) => {
      // To the end of the line: what was not asked for the longest time goes first.
      last.delete(url)
      if (text.length > textAtMost) return
      last.set(url, { text, answer })
      const [oldest] = last.keys()
      if (last.size > urlsAtMost && oldest !== undefined) last.delete(oldest)
    }
  }
}
