const remembered = 1024

/** What was done once and is not to be done again until the next start, as far as a thousand things are remembered. */
export const makeOnce = () => {
  const keys = new Set<string>()
  return {
    has: (key: string): boolean => keys.has(key),
    add: (key: string): void => {
      keys.add(key)
      for (const oldest of keys) {
        if (keys.size <= remembered) break
        keys.delete(oldest)
      }
    }
  }
}
