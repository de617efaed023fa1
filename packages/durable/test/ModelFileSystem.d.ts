import { FileSteps, type GrowingFile } from "@felhom/domain/port/FileSteps";
import { Layer } from "effect";
/** What a disk holds: names and what is behind them. Nothing of it is pending. */
export type Disk = ReadonlyMap<string, Uint8Array>;
type FileOp = {
    readonly _tag: "truncate";
} | {
    readonly _tag: "write";
    readonly at: number;
    readonly bytes: Uint8Array;
}
/** A write that has answered, behind what was not synced. */
 | {
    readonly _tag: "durable";
    readonly at: number;
    readonly bytes: Uint8Array;
};
type Steps = typeof FileSteps.Service;
/**
 * A fault put between a program and its files, to see that it shows. `existing` opens a file that is there for writing at its end,
 * which the real port has no way to do.
 */
export type Plant = (files: Steps, existing: (path: string) => GrowingFile | undefined) => Steps;
interface Inode {
    readonly durable: Uint8Array;
    readonly pending: ReadonlyArray<FileOp>;
}
type Names = ReadonlyMap<string, number>;
type FolderOp = (names: Map<string, number>) => void;
/** Everything at one moment: what a power cut leaves of it is open within what was not synced. */
interface Moment {
    readonly inodes: ReadonlyMap<number, Inode>;
    readonly names: Names;
    readonly durableNames: Names;
    readonly pendingNames: ReadonlyArray<FolderOp>;
}
/** Every disk that a power cut at this moment may leave behind. */
export declare const crashStates: (moment: Moment) => Generator<Disk>;
/** A text that two disks have in common if and only if they hold the same. */
export declare const formatDisk: (disk: Disk) => string;
/** A failure to be had from the step with this number, counted from 0. */
export interface Fault {
    readonly step: number;
    readonly code: "EIO" | "ENOSPC";
    /** Whether an append that fails leaves its first half behind. Else it leaves nothing, and a durable one its bytes unsynced. */
    readonly half: boolean;
}
export interface Model {
    readonly files: typeof FileSteps.Service;
    readonly layer: Layer.Layer<FileSteps>;
    /** The moments after each step so far; the first is before the first step. */
    readonly moments: ReadonlyArray<Moment>;
    /** What the program sees at present. */
    readonly present: () => Disk;
    /** Steps so far that can fail. */
    readonly steps: () => number;
    free: number;
    fault: Fault | undefined;
}
/** Enough for new operations, too little to set anything aside. */
export declare const modestSpace: number;
/**
 * A file system that starts with this disk and keeps every moment of what is done to it; without `history` only what is there at
 * last, for a start that is not cut itself. A durable write that goes beyond the end brings zeros along, up to a multiple of
 * `room`.
 */
export declare const makeModel: (disk?: Disk, { history, plant, room }?: {
    readonly history?: boolean;
    readonly plant?: Plant | undefined;
    readonly room?: number;
}) => Model;
export {};
