# `make test` builds once, in release mode, and runs every check; see CONTRIBUTING.md.
PACKAGES = make g++ pkg-config liblmdb-dev librdkafka-dev libsimdjson-dev libxxhash-dev

.PHONY: test packages

packages:
	@scripts/packages $(PACKAGES)

test: packages
	swift format lint --strict -r Package.swift Sources Tests
	swift build -c release --build-tests
	swift test -c release --skip-build
	scripts/example
