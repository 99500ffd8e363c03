# The libraries of others, as imported targets. cmake/deps.sh names Debian's packages for them.

find_package (PkgConfig REQUIRED)
set (THREADS_PREFER_PTHREAD_FLAG ON)
find_package (Threads REQUIRED) # Threads::Threads
pkg_check_modules (ZMQ REQUIRED IMPORTED_TARGET libzmq>=4.3)
pkg_check_modules (CZMQ REQUIRED IMPORTED_TARGET libczmq>=4.2)
pkg_check_modules (SODIUM REQUIRED IMPORTED_TARGET libsodium>=1.0.15) # Argon2id
pkg_check_modules (PROTOBUF_C REQUIRED IMPORTED_TARGET libprotobuf-c>=1.4)
pkg_check_modules (ZSTD REQUIRED IMPORTED_TARGET libzstd>=1.4)
pkg_check_modules (EDIT REQUIRED IMPORTED_TARGET libedit)
pkg_check_modules (JANSSON REQUIRED IMPORTED_TARGET jansson)
find_program (PROTOC_C protoc-c REQUIRED)
find_path (XXHASH_INCLUDE_DIR xxhash.h REQUIRED) # header only, see client/base/hash.c
mark_as_advanced (PROTOC_C XXHASH_INCLUDE_DIR)
if (COHORT_TESTS)
    pkg_check_modules (CMOCKA REQUIRED IMPORTED_TARGET cmocka)
endif ()
