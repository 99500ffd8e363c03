#!/usr/bin/env bash
# Installs the build into a folder of its own and builds a program against it: through pkg-config
# as C99 and as C++, and through the CMake package. Each of them must run.
set -eu -o pipefail

build=${1:?usage: install_test.sh BUILD-FOLDER}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
prefix=$(mktemp -d)
trap 'rm -rf "$prefix"' EXIT

cmake --install "$build" --prefix "$prefix/usr" >"$prefix/install.log"
library=$(dirname "$(find "$prefix/usr" -name libcohort.so)")
export PKG_CONFIG_PATH=$library/pkgconfig LD_LIBRARY_PATH=$library

version=$(pkg-config --modversion cohort)
run () {
    local output
    output=$("$1")
    if [ "$output" != "COHORT_OK /greeting $version" ]; then
        echo "$1 prints: $output" >&2
        exit 1
    fi
    echo "ok $(basename "$1")"
}

# shellcheck disable=SC2046
cc -std=c99 -Wall -Wextra -Wpedantic -Werror "$here/consumer.c" -o "$prefix/with-c99" \
    $(pkg-config --cflags --libs cohort cohort-server)
run "$prefix/with-c99"

# shellcheck disable=SC2046
c++ -x c++ -std=c++11 -Wall -Wpedantic -Werror "$here/consumer.c" -x none \
    -o "$prefix/with-c++" $(pkg-config --cflags --libs cohort cohort-server)
run "$prefix/with-c++"

# Whoever embeds a server is a client of it: to ask for the server's library is enough.
# shellcheck disable=SC2046
cc "$here/consumer.c" -o "$prefix/with-server" $(pkg-config --cflags --libs cohort-server)
run "$prefix/with-server"

mkdir "$prefix/project"
cp "$here/consumer.c" "$prefix/project/"
cat >"$prefix/project/CMakeLists.txt" <<'END'
cmake_minimum_required (VERSION 3.25)
project (consumer C)
find_package (cohort REQUIRED)
add_executable (with-cmake consumer.c)
target_link_libraries (with-cmake PRIVATE cohort::cohort cohort::cohort-server)
add_executable (with-cmake-server consumer.c)
target_link_libraries (with-cmake-server PRIVATE cohort::cohort-server)
END
cmake -S "$prefix/project" -B "$prefix/project/build" -G Ninja "-DCMAKE_PREFIX_PATH=$prefix/usr" \
    >"$prefix/configure.log"
cmake --build "$prefix/project/build" >"$prefix/build.log"
run "$prefix/project/build/with-cmake"
run "$prefix/project/build/with-cmake-server"

# The programs find their libraries by themselves.
for program in cohort cohortd; do
    env -u LD_LIBRARY_PATH "$prefix/usr/bin/$program" --version
done
# Each function has a manual page, which leads to that of its header.
pages=$prefix/usr/share/man/man3
for function in $(nm -D --defined-only "$library/libcohort.so" "$library/libcohort-server.so" |
    awk '$3 ~ /^cohort_/ { print $3 }'); do
    target=$(sed -n 's|^\.so man3/||p' "$pages/$function.3")
    grep -q "$function" "$pages/${target:?$function has no manual page}"
done
# Only what the public headers declare is exported.
for name in cohort cohort-server; do
    foreign=$(nm -D --defined-only "$library/lib$name.so" | awk '$2 != "A" { print $3 }' |
        grep -v '^cohort_' || true)
    if [ -n "$foreign" ]; then
        echo "lib$name.so exports what is not its own: $foreign" >&2
        exit 1
    fi
done
echo "ok exported symbols"
