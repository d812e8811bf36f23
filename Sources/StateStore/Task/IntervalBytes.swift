/// An estimate of the memory that an open interval takes.
package struct IntervalBytes: Hashable, Sendable {
  /// What is cached until the interval ends.
  package var cached: Int
  /// What its commit will take besides: the pages that it changes.
  package var pages: Int

  package init(cached: Int = 0, pages: Int = 0) {
    self.cached = cached
    self.pages = pages
  }

  package var total: Int { cached + pages }

  package static func + (left: Self, right: Self) -> Self {
    Self(cached: left.cached + right.cached, pages: left.pages + right.pages)
  }

  package static func += (left: inout Self, right: Self) { left = left + right }

  package static func -= (left: inout Self, right: Self) {
    left.cached -= right.cached
    left.pages -= right.pages
  }
}
