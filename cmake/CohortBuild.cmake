# The compiler and its options, the same for every target of the project.

if (PROJECT_IS_TOP_LEVEL AND NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set (CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "Build type" FORCE)
endif ()

if (NOT DEFINED CMAKE_C_COMPILER_LAUNCHER)
    find_program (CCACHE_PROGRAM ccache)
    mark_as_advanced (CCACHE_PROGRAM)
    if (CCACHE_PROGRAM)
        set (CMAKE_C_COMPILER_LAUNCHER "${CCACHE_PROGRAM}")
    endif ()
endif ()

if (NOT DEFINED CMAKE_C_STANDARD)
    set (CMAKE_C_STANDARD 11)
endif ()
set (CMAKE_C_STANDARD_REQUIRED ON)
set (CMAKE_C_EXTENSIONS OFF)
set (CMAKE_C_VISIBILITY_PRESET hidden)
set (CMAKE_POSITION_INDEPENDENT_CODE ON)
set (CMAKE_EXPORT_COMPILE_COMMANDS ON)

set (CMAKE_RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
set (CMAKE_LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib")
set (CMAKE_ARCHIVE_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib")

# Structs of some hundred bytes are emptied for every request. gcc does that with an instruction that
# takes longer to begin than vectors take to be through; what is larger is libc's.
include (CheckCCompilerFlag)
set (small_structs -mmemset-strategy=vector_loop:512:noalign,libcall:-1:noalign)
check_c_compiler_flag ("${small_structs}" COHORT_HAS_SMALL_STRUCTS)
if (COHORT_HAS_SMALL_STRUCTS)
    set (COHORT_SMALL_STRUCTS "${small_structs}")
endif ()

# A release's shared libraries are optimized as a whole: a write costs the servers a tenth less. The
# objects hold code besides, for all else that is linked from them: that would take minutes each time.
if (CMAKE_BUILD_TYPE STREQUAL "Release" AND CMAKE_C_COMPILER_ID STREQUAL "GNU" AND
    NOT COHORT_SANITIZE AND NOT COHORT_MUTATIONS)
    set (COHORT_WHOLE_COMPILE -flto=auto -ffat-lto-objects)
    set (COHORT_WHOLE_LINK -flto=auto ${COHORT_SMALL_STRUCTS})
    set (COHORT_WHOLE_ELSEWHERE -fno-lto)
endif ()

# Linked by every target of our own and never exported or installed: warnings, and paths.
add_library (cohort-options INTERFACE)
target_compile_options (cohort-options INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wcast-align -Wformat=2
    -Wundef -Wvla
    $<$<BOOL:${COHORT_WERROR}>:-Werror>)
# Internal headers are named from the root ("client/base/buf.h"), public ones as by users
# ("cohort/error.h").
target_include_directories (cohort-options INTERFACE
    "${PROJECT_SOURCE_DIR}"
    "${PROJECT_SOURCE_DIR}/client/include"
    "${PROJECT_SOURCE_DIR}/server/include")
if (COHORT_MUTATIONS)
    target_compile_definitions (cohort-options INTERFACE COHORT_MUTATIONS)
    target_compile_options (cohort-options INTERFACE -Wno-return-type) # behind forgiven assertions
    install (CODE "message (FATAL_ERROR \"a build with COHORT_MUTATIONS is for tests alone\")")
endif ()

# Messages of assertions name files from the root, and do not depend on where that is. A compiler
# cache with a base folder hands the compiler paths relative to the folder of the build instead.
file (RELATIVE_PATH root_from_build "${CMAKE_BINARY_DIR}" "${PROJECT_SOURCE_DIR}/")
add_compile_options ("-fmacro-prefix-map=${PROJECT_SOURCE_DIR}/=")
if (root_from_build)
    add_compile_options ("-fmacro-prefix-map=${root_from_build}=")
endif ()

if (COHORT_SANITIZE)
    add_compile_options ("-fsanitize=${COHORT_SANITIZE}" -fno-sanitize-recover=all
                         -fno-omit-frame-pointer)
    add_link_options ("-fsanitize=${COHORT_SANITIZE}")
    # Such a build is made to find errors, and made often: reports need no more than lines, and it
    # takes a sixth less.
    if (CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
        add_compile_options (-g1)
    endif ()
endif ()
