# cmake -D ROOT=folder -D OUTPUT=file -P CohortCommit.cmake
# Writes a header that names the commit of what is built, 'unknown' outside of git; an unchanged one
# is left alone, so that nothing is compiled again.

execute_process (
    COMMAND git --no-optional-locks -c "safe.directory=${ROOT}" -C "${ROOT}"
            describe --always --dirty --abbrev=12 --exclude=*
    OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET
    RESULT_VARIABLE result)
if (NOT result EQUAL 0 OR commit STREQUAL "")
    set (commit unknown)
endif ()
set (text "#define COHORT_COMMIT \"${commit}\"\n")
if (EXISTS "${OUTPUT}")
    file (READ "${OUTPUT}" before)
endif ()
if (NOT text STREQUAL "${before}")
    file (WRITE "${OUTPUT}" "${text}")
endif ()
