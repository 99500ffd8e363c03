# shellcheck shell=bash
# shellcheck disable=SC2034 # the lists are for those who source this
# Installs the Debian packages that are missing. Sourced by tests/run and examples/run:
#
#     . "$root/cmake/deps.sh"
#     install_missing "${build_packages[@]}" "${test_packages[@]}"

# What the project is built with.
build_packages=(
    cmake ninja-build gcc libc6-dev pkg-config git
    libzmq3-dev libczmq-dev libprotobuf-c-dev protobuf-c-compiler
    libxxhash-dev libzstd-dev libjansson-dev libedit-dev libsodium-dev
)
# What examples/loops is built with besides.
example_packages=(libuv1-dev libevent-dev)
# What its tests need besides: other compilers, checkers of the source, tools that cut networks,
# count instructions and read JSON.
test_packages=(
    g++ clang libclang-rt-14-dev clang-format clang-tidy libcmocka-dev iproute2 valgrind jq
    "${example_packages[@]}"
)

# What tests/fuzz/run needs besides the first: libFuzzer, and names in its traces.
fuzz_packages=(clang libclang-rt-14-dev llvm)

# install_missing package...
# Says which of the packages are not installed, and installs these; silent when none is missing.
install_missing () {
    local package missing=() as_root=()
    for package in "$@"; do
        if ! dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$'
        then
            missing+=("$package")
        fi
    done
    if [ ${#missing[@]} -eq 0 ]; then
        return 0
    fi
    echo "installing: ${missing[*]}"
    if ! command -v apt-get >/dev/null; then
        echo "there is no apt-get here: please install these packages, or their like, by hand" >&2
        return 1
    fi
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null; then
            echo "installing them takes root or sudo" >&2
            return 1
        fi
        as_root=(sudo)
    fi
    "${as_root[@]}" apt-get update -qq || return 1
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${missing[@]}"
}
