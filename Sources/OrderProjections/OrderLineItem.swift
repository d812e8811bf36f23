public import JSONSerdes
public import StreamCore

/// One line of an order: `{"sku","qty","price"}`, the price absent where the event names none.
public struct OrderLineItem: Hashable, Sendable {
  public var sku: String
  public var quantity: Int64
  public var price: Decimal?

  public init(sku: String, quantity: Int64, price: Decimal? = nil) {
    self.sku = sku
    self.quantity = quantity
    self.price = price
  }
}

extension OrderLineItem: JSONDecodable {
  public init(json: JSONView) throws {
    var (sku, quantity, price): (String?, Int64?, Decimal?)
    for member in try json.members() {
      switch member.name {
      case "sku": sku = try member.value.string()
      case "qty": quantity = try member.value.int64()
      case "price": price = try member.value.nonNull?.decimal()
      default: break
      }
    }
    self.sku = try json.required(sku, "sku")
    self.quantity = try json.required(quantity, "qty")
    self.price = price
  }
}

extension OrderLineItem: JSONEncodable {
  public static var everyValueHasJSON: Bool { true }

  public func encode(to writer: inout JSONWriter) {
    writer.beginObject()
    writer.field("sku", sku)
    writer.field("qty", quantity)
    writer.field("price", ifPresent: price)
    writer.endObject()
  }
}
