import JSONSerdes
import StreamCore

/// The order domain's created event, read the fast way.
struct OrderCreated: JSONDecodable, JSONEncodable, Equatable {
  struct Item: JSONDecodable, JSONEncodable, Equatable {
    var sku: String
    var quantity: Int64
    var price: Decimal

    init(json: JSONView) throws {
      var sku: String?
      var quantity: Int64?
      var price: Decimal?
      for member in try json.members() {
        switch member.name {
        case "sku": sku = try member.value.string()
        case "quantity": quantity = try member.value.int64()
        case "price": price = try member.value.decimal()
        default: break
        }
      }
      self.sku = try json.required(sku, "sku")
      self.quantity = try json.required(quantity, "quantity")
      self.price = try json.required(price, "price")
    }

    func encode(to writer: inout JSONWriter) {
      writer.beginObject()
      writer.field("sku", sku)
      writer.field("quantity", quantity)
      writer.field("price", price)
      writer.endObject()
    }
  }

  var orderID: String
  var currency: String?
  var items: [Item]
  var placedAt: Instant

  init(json: JSONView) throws {
    orderID = try json.field("orderId").string()
    currency = try json["currency"]?.nonNull?.string()
    items = try json.field("items").array()
    placedAt = try json.field("placedAt").instant()
  }

  func encode(to writer: inout JSONWriter) {
    writer.beginObject()
    writer.field("orderId", orderID)
    writer.field("currency", ifPresent: currency)
    writer.field("items", items)
    writer.field("placedAt", placedAt)
    writer.endObject()
  }
}

/// The same by `Codable`.
struct CodableOrder: Codable, Equatable {
  struct Item: Codable, Equatable {
    var sku: String
    var quantity: Int
    var price: Decimal
  }
  var orderId: String
  var currency: String?
  var items: [Item]
  var placedAt: Instant
  var seenAt: Timestamp?
  var tags: [String: Int]?
  var labels: Set<String>?
}
