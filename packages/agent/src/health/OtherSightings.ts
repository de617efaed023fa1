import type { HealthBook, Sighting } from "@felhom/domain/HealthBook"
import type { Temperature } from "@felhom/domain/HostReport"
import { judgeSpace } from "@felhom/domain/SpaceForecast"
import type { Storage, StorageUsage } from "@felhom/domain/Storage"

const near = 5

/** A board's sensors, those that name a limit of their own: of the others nobody knows what is too hot. */
export const sensorSightings = (temperatures: ReadonlyArray<Temperature>): ReadonlyArray<Sighting> =>
  temperatures.flatMap(({ celsius, critical, sensor }): ReadonlyArray<Sighting> => {
    if (critical === undefined) return []
    const of = { kind: "sensor" as const, id: sensor, name: sensor, storages: [] }
    const is = `it is at ${celsius} °C, and calls ${critical} °C critical: see to the host's cooling`
    return [
      celsius >= critical
        ? { ...of, state: "fail", reasons: [is] }
        : celsius >= critical - near
        ? { ...of, state: "warn", reasons: [is] }
        : { ...of, state: "ok", reasons: [] }
    ]
  })

/** Storages that are switched on: whether they can be used, and when they will be full. */
export const storageSightings = (
  storages: ReadonlyArray<Storage>,
  usages: ReadonlyArray<StorageUsage>,
  book: HealthBook,
  day: number
): ReadonlyArray<Sighting> =>
  storages.filter(({ enabled }) => enabled).map(({ active, storage }): Sighting => {
    const of = { kind: "storage" as const, id: storage, name: storage, storages: [] }
    if (!active) return { ...of, state: "fail", reasons: ["it can't be used: it is not mounted, or not to be reached"] }
    const usage = usages.find((one) => one.storage === storage)
    const before = book.subjects.find(({ id, kind }) => kind === "storage" && id === storage)?.points ?? []
    const points = before.flatMap((point) => "total" in point && point.day !== day ? [point] : [])
    if (usage === undefined || usage.total === null || usage.used === null) return { ...of, ...judgeSpace(points) }
    const point = { day, used: usage.used, total: usage.total }
    return { ...of, ...judgeSpace([...points, point]), point }
  })
