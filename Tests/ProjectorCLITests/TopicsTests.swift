import Testing

@Suite struct TopicsTests {
  @Test("topics are created, listed, described and deleted")
  func lifeOfATopic() throws {
    let tool = try CommandLineTool()
    try tool.succeed("topics", "create", "orders", "--log", tool.log, "--partitions", "3")
    try tool.succeed(
      "topics", "create", "audit", "--log", tool.log, "--retention-time", "7d",
      "--retention-bytes", "1GiB")
    #expect(
      try tool.succeed("topics", "list", "--log", tool.log) == """
        TOPIC   PARTITIONS  RETENTION
        audit            1  7d, 1GiB
        orders           3  everything

        """)
    #expect(
      try tool.succeed("topics", "list", "--log", tool.log, "--format", "json") == """
        {"topic":"audit","partitions":1,"retentionTime":"7d","retentionBytes":1073741824,\
        "compacted":false}
        {"topic":"orders","partitions":3,"compacted":false}

        """)
    try tool.succeed("produce", "audit", "--log", tool.log, input: "{\"value\":\"x\"}\n")
    #expect(
      try tool.succeed("topics", "describe", "audit", "--log", tool.log) == """
        Topic: audit (retention: 7d, 1GiB)
        PARTITION  FIRST  END
                0      0    1

        """)
    let again = try tool.run("topics", "create", "orders", "--log", tool.log)
    #expect(again.status == 2)
    #expect(again.errors.contains("'orders'"))
    try tool.succeed("topics", "delete", "orders", "--log", tool.log)
    for arguments in [["topics", "describe", "orders"], ["topics", "delete", "orders"]] {
      let outcome = try tool.run(arguments + ["--log", tool.log])
      #expect(outcome.status == 6)
      #expect(outcome.errors.contains("'orders'"))
    }
  }
}
