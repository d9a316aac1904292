#!/usr/bin/env bash
# Puts a real Apache Kafka where the tests find it: $DORMOUSE_KAFKA_LIBS, or .kafka/libs in this checkout.
# Installs a Java runtime and Maven first when they are missing (Debian and its kin). Quick when all is there.
set -euo pipefail
cd "$(dirname "$0")/.."

version=$(sed -n 's:.*<kafka.version>\(.*\)</kafka.version>.*:\1:p' tests/kafka/pom.xml)
libs=${DORMOUSE_KAFKA_LIBS:-$PWD/.kafka/libs}

say() { echo "scripts/kafka.sh: $*" >&2; }

present() { [ -e "$libs/kafka_2.13-$version.jar" ] && [ -e "$libs/kafka-tools-$version.jar" ]; }

# The major version of the Java that is there; 0 without one.
java_version() {
    command -v java >/dev/null || { echo 0; return; }
    java -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p;T;q' | grep . || echo 0
}

missing=()
[ "$(java_version)" -ge 17 ] || missing+=(default-jre-headless)
present || command -v mvn >/dev/null || missing+=(maven)
if [ ${#missing[@]} != 0 ]; then
    say "Kafka $version needs Java 17 or newer, and Maven to fetch it"
    scripts/packages.sh "${missing[@]}"
fi

if [ "$(java_version)" -lt 17 ]; then
    say "Kafka $version needs Java 17 or newer; \`java\` is version $(java_version)"
    exit 3
fi
present && exit 0

# Several checkouts or test programs may come here at once: one fetches, and a half-filled folder is never seen.
mkdir -p "$(dirname "$libs")"
exec 9>"$libs.lock"
flock 9
present && exit 0
say "fetching Apache Kafka $version into $libs"
rm -rf "$libs.part"
mvn -q -B -Dstyle.color=never -f tests/kafka/pom.xml dependency:copy-dependencies -DoutputDirectory="$libs.part" >&2
rm -rf "$libs"
mv "$libs.part" "$libs"
present || { say "the jars of Kafka $version did not arrive in $libs"; exit 3; }
