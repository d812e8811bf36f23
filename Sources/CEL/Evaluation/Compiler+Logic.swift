extension Compiler {
  /// `&&`: false where one side is, whatever the other; else the error that came first.
  @inline(never)
  mutating func and(_ arguments: [Expression]) -> Code {
    let left = compile(arguments[0]).truth
    let right = compile(arguments[1]).truth
    return Code(truth: { frame in
      switch left(&frame) {
      case .no: return .no
      case .yes: return right(&frame)
      case .failed:
        let first = frame.failure
        if right(&frame) == .no { return .no }
        frame.failure = first
        return .failed
      }
    })
  }

  /// `||`: true where one side is, whatever the other; else the error that came first.
  @inline(never)
  mutating func or(_ arguments: [Expression]) -> Code {
    let left = compile(arguments[0]).truth
    let right = compile(arguments[1]).truth
    return Code(truth: { frame in
      switch left(&frame) {
      case .yes: return .yes
      case .no: return right(&frame)
      case .failed:
        let first = frame.failure
        if right(&frame) == .yes { return .yes }
        frame.failure = first
        return .failed
      }
    })
  }

  @inline(never)
  mutating func not(_ arguments: [Expression]) -> Code {
    let operand = compile(arguments[0]).truth
    return Code(truth: { frame in
      switch operand(&frame) {
      case .yes: .no
      case .no: .yes
      case .failed: .failed
      }
    })
  }

  @inline(never)
  mutating func notStrictlyFalse(_ arguments: [Expression]) -> Code {
    let operand = compile(arguments[0]).truth
    return Code(truth: { frame in Truth(operand(&frame) != .no) })
  }

  @inline(never)
  mutating func conditional(_ node: Expression, _ arguments: [Expression]) -> Code {
    let condition = compile(arguments[0]).truth
    let yes = compile(arguments[1])
    let no = compile(arguments[2])
    if checked.type(of: node) == .bool {
      let (yes, no) = (yes.truth, no.truth)
      return Code(truth: { frame in
        switch condition(&frame) {
        case .yes: yes(&frame)
        case .no: no(&frame)
        case .failed: .failed
        }
      })
    }
    let (yesValue, noValue) = (yes.value, no.value)
    return Code { frame in
      switch condition(&frame) {
      case .yes: yesValue(&frame)
      case .no: noValue(&frame)
      case .failed: frame.value(.failed)
      }
    }
  }
}
