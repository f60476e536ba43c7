# make run   installs what is missing, builds, and starts a server to try out
# make test  installs what is missing and runs every test, browser tests included
# make torture  the long tests in their full length: every time zone, a hundred moments under kills, 250 kills inside
#               runs, 50 during downloads, a full disk, 2,000 files beside curl and rclone where those are installed,
#               many random histories; takes about an hour
# make bench  measures Weir against the least a program could do with the same bytes; about an hour, or only some goals
#             with JOBS=A1,F1
# make bench-quick  the same with small catalogues and few files; two minutes once it is built
# make screenshots  keeps every page as pictures in screenshots/
# make lint  format, clippy, templates
#
# Only a Rust toolchain must be there; the rest comes from Debian's packages.

.PHONY: run test lint torture bench bench-quick screenshots tools-run tools-test tools-bench

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
	WEIR_TORTURE=1 cargo test --release --test suite faults_signin -- --nocapture
	WEIR_TORTURE=1 cargo test --release --test suite faults_load -- --nocapture --test-threads=1
	WEIR_TORTURE=1 cargo test --test suite scale -- --nocapture

bench: tools-bench
	cargo bench --quiet --bench weir -- $(if $(JOBS),--only $(JOBS))

bench-quick: tools-bench
	cargo bench --quiet --bench weir -- --quick $(if $(JOBS),--only $(JOBS))

screenshots: tools-test
	WEIR_SCREENSHOTS=$(CURDIR)/screenshots cargo test --test suite browser

tools-run:
	@.ci/install cc=build-essential postgres=postgresql

tools-test:
	@.ci/install cc=build-essential postgres=postgresql chromium=chromium chromedriver=chromium-driver squid=squid openssl=openssl nginx=nginx-light

tools-bench:
	@.ci/install cc=build-essential postgres=postgresql nginx=nginx-light curl=curl rclone=rclone
