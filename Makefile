# `make test` builds once, in release mode, and runs every check; see CONTRIBUTING.md.
PACKAGES = make g++ pkg-config liblmdb-dev librdkafka-dev libsimdjson-dev libxxhash-dev libre2-dev

.PHONY: test soak demo bench packages

packages:
	@scripts/packages $(PACKAGES)

test: packages
	swift format lint --strict -r Package.swift Sources Tests Benchmarks
	swift build -c release --build-tests -Xswiftc -enable-testing
	timeout --foreground 20m swift test -c release --skip-build -Xswiftc -enable-testing
	scripts/example

# The model, operations and crash checks with more seeds: `make soak SEEDS=1000`.
soak: packages
	swift build -c release --build-tests -Xswiftc -enable-testing
	SEEDS=$(SEEDS) swift test -c release --skip-build -Xswiftc -enable-testing --filter "ModelTests|OperationsTests|CrashTests|OperationKillTests"

# Order events become views, through a SIGKILL; about a minute after the build.
demo: packages
	swift build -c release --product projector
	.build/release/projector demo --directory .build/demo

# One table, each run in a process of its own; KAFKA=host:port adds the runs over Kafka.
bench: packages
	swift build -c release --product benchmarks
	.build/release/benchmarks
