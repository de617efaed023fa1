// Begins a thread with a mutant that is there from the start, or with none.
import { workerData } from "node:worker_threads"

globalThis.__stryker__ = { activeMutant: workerData.activeMutant }
await import(workerData.bundle)
