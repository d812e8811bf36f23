import CEL
import Testing

/// Expects a row's result; where a row says only `error`, evaluation must fail, whatever it says
/// (``MessageTests`` has the messages).
func expectResult(
  _ row: LanguageCase, libraries: [Library] = LanguageHost.libraries,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  let result = LanguageHost.result(of: row.expression, libraries: libraries)
  if row.result == "error" {
    #expect(result.hasPrefix("error: "), sourceLocation: sourceLocation)
  } else {
    #expect(result == row.result, sourceLocation: sourceLocation)
  }
}
