# What people do daily. `just` alone lists it.

_list:
    @just --list --unsorted

# The pipeline on real events, in one terminal, nothing else running
demo *args:
    cargo run --release -- demo {{ args }}

# Every test; fetches Apache Kafka (and Java) when they are not there
test *args:
    scripts/test {{ args }}

# One simulated life, or many: just simulate --seed 17, just simulate --seeds 0..100000
simulate *args:
    scripts/simulate {{ args }}

# Kill and freeze instances over a real Kafka hundreds of times, and compare with a run that nobody disturbed
torture kills="200":
    DORMOUSE_KILLS={{ kills }} cargo test --release --locked --test kafka_end_to_end torture -- --nocapture --test-threads 1

# Restart three instances in turn, counting how often shards are brought back
restarts times="50":
    DORMOUSE_RESTARTS={{ times }} cargo test --release --locked --test kafka_end_to_end restarts -- --nocapture --test-threads 1

# A million customers who become dormant in the same instant, over a real Kafka
multitude customers="1000000":
    DORMOUSE_CUSTOMERS={{ customers }} cargo test --release --locked --test kafka_end_to_end multitude -- --nocapture

# All that CI asks
ci:
    .ci/run

# Quick: does it compile, are there warnings
check:
    cargo clippy --workspace --all-targets -- -D warnings

# Bring the sources into form
fmt:
    cargo fmt --all

# The speed of replay, decoder and engine, each beside the machine's own limit
bench *args:
    cargo bench {{ args }}

# Licences and versions of dependencies
deny:
    scripts/deny.sh

# A year of the shop through the default rules
replay rules="config/segments.toml" events="data/online-retail.jsonl.zst":
    cargo run --release -- replay -c {{ rules }} {{ events }} --changes changes.jsonl

# Write expected texts of tests anew (then read the diff)
bless *args:
    UPDATE_EXPECT=1 cargo test --workspace {{ args }}
