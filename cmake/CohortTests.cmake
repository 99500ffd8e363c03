# How tests are registered.

# Seconds after which ctest ends a test, whichever: meant for tests that hang, and far beyond what
# any of them takes on a machine that has much else to do.
set (COHORT_TEST_TIMEOUT 900)

# What sanitized programs are told; owners of other tests may use it too. What they find ends a
# program with a status that none of ours has, as ThreadSanitizer's 66 is: whoever expects a program
# to fail does not take it for that.
set (COHORT_TEST_ENVIRONMENT
    "ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1:strict_string_checks=1:detect_stack_use_after_return=1:exitcode=99"
    "UBSAN_OPTIONS=print_stacktrace=1:exitcode=99"
    "TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1")

# cohort_unit_test (NAME name SOURCES file... [LIBS lib...] [POSIX])
# A cmocka program, build/bin/tests/test-<name>, and the ctest `unit-<name>`; label `unit`.
# It includes "tests/unit/unit.h" instead of cmocka.h.
function (cohort_unit_test)
    cmake_parse_arguments (PARSE_ARGV 0 arg "POSIX" "NAME" "SOURCES;LIBS")
    cohort_check_arguments (cohort_unit_test)
    set (target "test-${arg_NAME}")
    add_executable (${target} ${arg_SOURCES})
    set_target_properties (${target} PROPERTIES
        RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin/tests")
    target_link_libraries (${target} PRIVATE ${arg_LIBS} PkgConfig::CMOCKA)
    cohort_target_defaults (${target} "${arg_POSIX}")
    add_test (NAME "unit-${arg_NAME}" COMMAND ${target})
    set_tests_properties ("unit-${arg_NAME}" PROPERTIES
        LABELS unit TIMEOUT ${COHORT_TEST_TIMEOUT} ENVIRONMENT "${COHORT_TEST_ENVIRONMENT}")
endfunction ()

# cohort_test_objects (name SOURCES file... [LIBS lib...] [POSIX])
# What several tests share: compiled once, and part, whole, of each program that has it in its LIBS.
function (cohort_test_objects name)
    cmake_parse_arguments (PARSE_ARGV 1 arg "POSIX" "" "SOURCES;LIBS")
    cohort_check_arguments (cohort_test_objects)
    add_library (${name} OBJECT ${arg_SOURCES})
    target_link_libraries (${name} PUBLIC ${arg_LIBS})
    cohort_target_defaults (${name} "${arg_POSIX}")
endfunction ()

# cohort_process_program (name SOURCES file... [LIBS lib...])
# A program of tests that deals with real processes: build/bin/tests/<name>. It may use POSIX.
function (cohort_process_program name)
    cmake_parse_arguments (PARSE_ARGV 1 arg "" "" "SOURCES;LIBS")
    cohort_check_arguments (cohort_process_program)
    add_executable (${name} ${arg_SOURCES})
    set_target_properties (${name} PROPERTIES
        RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin/tests")
    target_link_libraries (${name} PRIVATE ${arg_LIBS})
    cohort_target_defaults (${name} ON)
endfunction ()

# cohort_process_test (name COMMAND word... [SERIAL] [ONCE] [ENVIRONMENT variable=value...])
# A ctest with real processes; label `cluster`. One that has nothing to say on this machine ends with
# status 77.
#   SERIAL  it measures time, or loads the machine: it runs alone. Others wait most of the time, and
#           give way to other tests.
#   ONCE    it takes long: label `once`; of the stages of a complete tests/run only the first, with
#           sanitizers, runs it.
function (cohort_process_test name)
    cmake_parse_arguments (PARSE_ARGV 1 arg "SERIAL;ONCE" "" "COMMAND;ENVIRONMENT")
    cohort_check_arguments (cohort_process_test)
    set (labels cluster)
    if (arg_ONCE)
        list (APPEND labels once)
    endif ()
    add_test (NAME ${name} COMMAND ${arg_COMMAND})
    set_tests_properties (${name} PROPERTIES
        LABELS "${labels}" TIMEOUT ${COHORT_TEST_TIMEOUT} RUN_SERIAL ${arg_SERIAL}
        SKIP_RETURN_CODE 77
        ENVIRONMENT "${COHORT_TEST_ENVIRONMENT};${arg_ENVIRONMENT}")
endfunction ()

# The test `purity`: the modules that must be pure refer to nothing outside but what is allowed.
function (cohort_purity_test)
    set (archives)
    foreach (module cohort-base cohort-core cohort-tree)
        list (APPEND archives "$<TARGET_FILE:${module}>")
    endforeach ()
    add_test (NAME purity COMMAND "${PROJECT_SOURCE_DIR}/tests/lib/purity.sh" ${archives})
endfunction ()
