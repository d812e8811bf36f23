// A topology is written in the words of all three: one import gives them.
@_exported public import StateStore
@_exported public import StreamCore
