# make run   installs what is missing, builds, and starts a server to try out
# make test  installs what is missing and runs every test, browser tests included
# make torture  the long tests in their full length: every time zone, a hundred moments under kills, 250 kills inside
#               runs, 50 during downloads, a full disk, many random histories; takes about an hour
# make screenshots  keeps every page as pictures in screenshots/
# make lint  format, clippy, templates
#
# Only a Rust toolchain must be there; the rest comes from Debian's packages.

.PHONY: run test lint torture screenshots tools-run tools-test

run: tools-run
	cargo run --quiet -- demo

# one test more than there are cores: many wait for a moment, a browser or a database
test: tools-test
	RUST_TEST_THREADS=$$(( $$(nproc) + 1 )) cargo test

lint: tools-run
	cargo fmt --check
	cargo clippy --quiet --all-targets -- -D warnings
	.ci/lint-templates

torture: tools-test
	WEIR_TORTURE=1 cargo test --lib schedule
	WEIR_TORTURE=1 cargo test --test suite instances
	WEIR_TORTURE=1 cargo test --test suite torture -- --nocapture
	WEIR_TORTURE=1 cargo test --test suite sync_model -- --nocapture
	WEIR_TORTURE=1 cargo test --test suite faults_signin -- --nocapture

screenshots: tools-test
	WEIR_SCREENSHOTS=$(CURDIR)/screenshots cargo test --test suite browser

tools-run:
	@.ci/install cc=build-essential postgres=postgresql

tools-test:
	@.ci/install cc=build-essential postgres=postgresql chromium=chromium chromedriver=chromium-driver squid=squid openssl=openssl nginx=nginx-light
