const mebibyte = 1024 * 1024

// mke2fs keeps copies of the superblock in groups 1 and the powers of 3, 5 and 7.
const backupGroups = (groups: number): ReadonlyArray<number> => {
  const found = new Set([1])
  for (const base of [3, 5, 7]) for (let power = base; power < groups; power *= base) found.add(power)
  return Array.from(found).filter((group) => group < groups).toSorted((a, b) => a - b)
}

// mke2fs's journal in blocks, by the number of blocks of the file system.
const journalBlocks = (blocks: number): number => {
  const steps = [
    [2048, 0],
    [32_768, 1024],
    [262_144, 4096],
    [524_288, 8192],
    [4_194_304, 16_384],
    [8_388_608, 32_768],
    [
      16_777_216,
      65_536
    ],
    [33_554_432, 131_072]
  ] as const
  return steps.find(([below]) => blocks < below)?.[1] ?? 262_144
}

/** How mke2fs lays out so many bytes. Below 512 MiB it makes small blocks, and an inode for every four of them. */
const layout = (bytes: number) => {
  const small = bytes < 512 * mebibyte
  const blockSize = small ? 1024 : 4096
  const blocks = Math.floor(bytes / blockSize)
  const first = small ? 1 : 0
  const perGroup = blockSize * 8
  return {
    blockSize,
    blocks,
    first,
    perGroup,
    groups: Math.ceil((blocks - first) / perGroup),
    inodes: Math.floor(bytes / (small ? 4096 : 16_384))
  }
}

/**
 * What `statfs` gives as the size of an ext4 made on so many bytes: without its journal, inodes, bitmaps and the copies of its
 * descriptors, each with room to grow to 1024 times as many blocks.
 */
export const sizeInside = (bytes: number): number => {
  const { blockSize, blocks, first, groups, inodes, perGroup } = layout(bytes)
  const perBlock = blockSize / 64
  const descriptors = Math.ceil(groups / perBlock)
  const grown = Math.ceil(Math.min(blocks * 1024, 2 ** 32) / perGroup / perBlock)
  const reserved = Math.max(0, Math.min(blockSize / 4, grown - descriptors))
  const copies = 1 + backupGroups(groups).length
  const overhead = first + copies * (1 + descriptors + reserved) + groups * 2 + inodes * 256 / blockSize +
    journalBlocks(blocks)
  return Math.max(0, Math.floor(blocks - overhead) * blockSize)
}

/** What mke2fs prints for a volume of so many bytes. */
export const formatLog = (bytes: number, uuid: string): ReadonlyArray<string> => {
  const { blockSize, blocks, first, groups, inodes, perGroup } = layout(bytes)
  const backups = backupGroups(groups).map((group) => group * perGroup + first)
  return [
    `Creating filesystem with ${blocks} ${blockSize / 1024}k blocks and ${inodes} inodes`,
    ...(backups.length === 0
      ? []
      : [`Filesystem UUID: ${uuid}`, "Superblock backups stored on blocks: ", `\t${backups.join(", ")}`])
  ]
}

/** What growing the ext4 of an image prints: the check, then the growth. */
export const growLog = (path: string, before: number, after: number): ReadonlyArray<string> => {
  const blocks = (bytes: number): number => Math.floor(bytes / 4096)
  const [, device] = /^\/dev\/((?!zvol\/)[^/]+\/[^/]+)$/.exec(path) ?? []
  return [
    ...(device === undefined ? ["Image resized."] : lvmGrown(device, before, after)),
    "e2fsck 1.47.2 (1-Jan-2025)",
    "Pass 1: Checking inodes, blocks, and sizes",
    "Pass 2: Checking directory structure",
    "Pass 3: Checking directory connectivity",
    "Pass 4: Checking reference counts",
    "Pass 5: Checking group summary information",
    `${path}: 312/${blocks(before) / 4} files (0.0% non-contiguous), 13537/${blocks(before)} blocks`,
    "resize2fs 1.47.2 (1-Jan-2025)",
    `Resizing the filesystem on ${path} to ${blocks(after)} (4k) blocks.`,
    `The filesystem on ${path} is now ${blocks(after)} (4k) blocks long.`,
    ""
  ]
}

const inLvm = (bytes: number): string =>
  `${(bytes / (1024 * mebibyte)).toFixed(2)} GiB (${bytes / (4 * mebibyte)} extents)`

/** What lvextend says of a volume, of which the physical extents have 4 MiB. */
const lvmGrown = (device: string, before: number, after: number): ReadonlyArray<string> => [
  `  Size of logical volume ${device} changed from ${inLvm(before)} to ${inLvm(after)}.`,
  `  Logical volume ${device} successfully resized.`
]

/** tar's summary of what it wrote or read. */
export const tarTotals = (verb: "written" | "read", bytes: number): string =>
  `Total bytes ${verb}: ${bytes} (${(bytes / mebibyte).toFixed(1)}MiB, 180MiB/s)`

/** A size as vzdump shows it: whole units, and two digits from a gibibyte on. */
export const archiveSize = (bytes: number): string =>
  bytes >= 1024 * mebibyte
    ? `${(bytes / (1024 * mebibyte)).toFixed(2)}GB`
    : bytes >= mebibyte
    ? `${Math.floor(bytes / mebibyte)}MB`
    : bytes >= 1024
    ? `${Math.floor(bytes / 1024)}KB`
    : `${bytes}B`
