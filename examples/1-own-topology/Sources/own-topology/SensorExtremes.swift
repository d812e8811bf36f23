import JSONSerdes
import ProjectorCLI
import Topology

/// A program of one's own: its topology, and the whole command line of Projector.
@main
struct SensorApp: ProjectorApp {
  static let topologies = [RegisteredTopology("sensor-extremes", sensorExtremes)]
}

/// What a sensor reports; the record's key is the sensor.
struct Reading: Codable, Sendable {
  var place: String
  var celsius: Decimal
}

/// A row of the view: between what a sensor has read so far.
struct Extremes: Codable, Sendable {
  var place = ""
  var lowest: Decimal?
  var highest: Decimal?
  var readings = 0

  mutating func add(_ reading: Reading) {
    place = reading.place
    lowest = min(lowest ?? reading.celsius, reading.celsius)
    highest = max(highest ?? reading.celsius, reading.celsius)
    readings += 1
  }
}

/// Lowest and highest temperature of each sensor, also by place, warmest first.
///
///     sensor-readings ── aggregate ── sensor-extremes (byPlace)
func sensorExtremes() throws(TopologyError) -> Topology {
  let builder = StreamsBuilder("sensor-extremes")
  builder.stream("sensor-readings", key: StringSerde(), value: JSONSerde<Reading>())
    .groupByKey()
    .aggregate(into: Extremes(), named: "extremes", as: JSONSerde<Extremes>()) { row, reading in
      row.add(reading)
    }
    .view(indexes: [
      Index("byPlace", [.ascending("place") { $0.place }, .descending("highest") { $0.highest }])
    ])
  return try builder.build()
}
