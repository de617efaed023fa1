import type { DesiredPolicy } from "@felhom/domain/DesiredPolicy"
import type { HeldGolden } from "./GoldenStore.ts"

/**
 * The policy with the archives of its golden images among its `images`, as the manifests that were accepted here name them. What was
 * not accepted is none, and an entry of root's with the name of a golden image does not count.
 */
export const withGolden = (policy: DesiredPolicy, held: ReadonlyArray<HeldGolden>): DesiredPolicy => {
  const golden = new Set<string>(policy.golden.images)
  if (golden.size === 0) return policy
  const own = Object.entries(policy.images).filter(([name]) => !golden.has(name))
  const signed = held.flatMap(({ manifest: { name, volid } }) => golden.has(name) ? [[name, volid] as const] : [])
  return { ...policy, images: Object.fromEntries([...own, ...signed]) }
}

/** Whether root's policy itself names the archive, under a name that is no golden image's. */
export const isRootsOwn = ({ golden, images }: DesiredPolicy, archive: string): boolean => {
  const names = new Set<string>(golden.images)
  return Object.entries(images).some(([name, volid]) => volid === archive && !names.has(name))
}
