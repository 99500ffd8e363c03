# How the parts of the project are defined. Every source is named: no globs.

# What every target of our own has. POSIX is for those that do I/O.
function (cohort_target_defaults name posix)
    target_link_libraries (${name} PRIVATE $<BUILD_INTERFACE:cohort-options>)
    if (posix)
        target_compile_definitions (${name} PRIVATE _POSIX_C_SOURCE=200809L)
    endif ()
endfunction ()

# cohort_module (name SOURCES file... [LIBS lib...] [INCLUDES folder...] [POSIX])
# A static library, one module of the project: position independent, hidden symbols, our warnings.
# LIBS and INCLUDES are passed on to whatever links it.
function (cohort_module name)
    cmake_parse_arguments (PARSE_ARGV 1 arg "POSIX" "" "SOURCES;LIBS;INCLUDES")
    cohort_check_arguments (cohort_module)
    add_library (${name} STATIC ${arg_SOURCES})
    target_link_libraries (${name} PUBLIC ${arg_LIBS})
    target_include_directories (${name} PUBLIC ${arg_INCLUDES})
    cohort_target_defaults (${name} "${arg_POSIX}")
endfunction ()

# cohort_program (name SOURCES file... [LIBS lib...] [OUTPUT file] [POSIX] [INSTALL])
# An executable, build/bin/<name> or <file>; INSTALL also puts it into the installed package.
function (cohort_program name)
    cmake_parse_arguments (PARSE_ARGV 1 arg "POSIX;INSTALL" "OUTPUT" "SOURCES;LIBS")
    cohort_check_arguments (cohort_program)
    add_executable (${name} ${arg_SOURCES})
    target_link_libraries (${name} PRIVATE ${arg_LIBS})
    if (arg_OUTPUT)
        set_target_properties (${name} PROPERTIES OUTPUT_NAME "${arg_OUTPUT}")
    endif ()
    cohort_target_defaults (${name} "${arg_POSIX}")
    if (arg_INSTALL)
        # It finds the libraries beside it, wherever the prefix is.
        file (RELATIVE_PATH libraries "/${CMAKE_INSTALL_BINDIR}" "/${CMAKE_INSTALL_LIBDIR}")
        set_target_properties (${name} PROPERTIES INSTALL_RPATH "$ORIGIN/${libraries}")
        install (TARGETS ${name} RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
    endif ()
endfunction ()

# cohort_protobuf_c (name file.proto)
# A static library of the messages in file.proto (of the current folder), written by protoc-c into
# the build folder; include them as "file.pb-c.h". Compiled without our warnings.
function (cohort_protobuf_c name proto)
    cmake_path (ABSOLUTE_PATH proto OUTPUT_VARIABLE input)
    cmake_path (GET input PARENT_PATH folder)
    cmake_path (GET input STEM stem)
    set (output "${CMAKE_CURRENT_BINARY_DIR}/${stem}.pb-c")
    add_custom_command (
        OUTPUT "${output}.c" "${output}.h"
        COMMAND "${PROTOC_C}" "--c_out=${CMAKE_CURRENT_BINARY_DIR}" "--proto_path=${folder}"
                "${input}"
        DEPENDS "${input}"
        COMMENT "protoc-c ${stem}.proto"
        VERBATIM)
    add_library (${name} STATIC "${output}.c" "${output}.h")
    target_compile_options (${name} PRIVATE -w)
    target_include_directories (${name} SYSTEM PUBLIC "${CMAKE_CURRENT_BINARY_DIR}")
    target_link_libraries (${name} PUBLIC PkgConfig::PROTOBUF_C)
endfunction ()

# cohort_shared_library (name
#     MODULES module...       cohort_module targets that make up the library, whole
#     [LIBS lib...]           what it needs besides, e.g. PkgConfig::ZMQ
#     [SHOWS name...]         other such libraries, whose functions its users call, too
#     INCLUDE folder...       its public header folders (each with a cohort/ inside)
#     DESCRIPTION text)
# lib<name>.so with SONAME = major version, its headers, <name>.pc and its part of the CMake
# package (cohort::<name>). LIBS and all the modules' own dependencies stay private.
function (cohort_shared_library name)
    cmake_parse_arguments (PARSE_ARGV 1 arg "" "DESCRIPTION" "MODULES;LIBS;SHOWS;INCLUDE")
    cohort_check_arguments (cohort_shared_library)
    list (TRANSFORM arg_MODULES REPLACE "(.+)" "$<TARGET_OBJECTS:\\1>" OUTPUT_VARIABLE objects)
    add_library (${name} SHARED ${objects})
    add_library (cohort::${name} ALIAS ${name})
    target_link_libraries (${name} PUBLIC ${arg_SHOWS} PRIVATE ${arg_LIBS})
    target_link_options (${name} PRIVATE ${COHORT_WHOLE_LINK})
    foreach (module IN LISTS arg_MODULES)
        target_compile_options (${module} PRIVATE ${COHORT_WHOLE_COMPILE})
        target_link_options (${module} INTERFACE ${COHORT_WHOLE_ELSEWHERE})
    endforeach ()
    set_target_properties (${name} PROPERTIES
        LINKER_LANGUAGE C
        VERSION "${PROJECT_VERSION}"
        SOVERSION "${PROJECT_VERSION_MAJOR}"
        INSTALL_RPATH "$ORIGIN") # one of them may need another
    # A missing symbol shall fail here and not in a user's program.
    if (NOT COHORT_SANITIZE)
        target_link_options (${name} PRIVATE -Wl,--no-undefined -Wl,--as-needed)
    endif ()
    foreach (folder IN LISTS arg_INCLUDE)
        cmake_path (ABSOLUTE_PATH folder)
        target_include_directories (${name} PUBLIC $<BUILD_INTERFACE:${folder}>)
        install (DIRECTORY "${folder}/cohort" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
                 FILES_MATCHING PATTERN "*.h")
        cohort_header_pages ("${folder}/cohort")
    endforeach ()
    target_include_directories (${name} PUBLIC
        $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
    install (TARGETS ${name} EXPORT cohort-targets
        LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}")

    set (PC_NAME "${name}")
    set (PC_DESCRIPTION "${arg_DESCRIPTION}")
    list (JOIN arg_SHOWS " " PC_REQUIRES)
    # Relative to the file itself, so that an installed tree can be moved.
    cmake_path (RELATIVE_PATH CMAKE_INSTALL_FULL_LIBDIR BASE_DIRECTORY "${CMAKE_INSTALL_PREFIX}"
                OUTPUT_VARIABLE PC_LIBDIR)
    cmake_path (RELATIVE_PATH CMAKE_INSTALL_FULL_INCLUDEDIR
                BASE_DIRECTORY "${CMAKE_INSTALL_PREFIX}" OUTPUT_VARIABLE PC_INCLUDEDIR)
    cmake_path (RELATIVE_PATH CMAKE_INSTALL_PREFIX
                BASE_DIRECTORY "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig" OUTPUT_VARIABLE PC_PREFIX)
    configure_file ("${PROJECT_SOURCE_DIR}/cmake/cohort.pc.in"
                    "${PROJECT_BINARY_DIR}/pkgconfig/${name}.pc" @ONLY)
    install (FILES "${PROJECT_BINARY_DIR}/pkgconfig/${name}.pc"
             DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
    set_property (GLOBAL APPEND PROPERTY COHORT_SHARED_LIBRARIES ${name})
endfunction ()

# A manual page for each public header of a folder, and one that leads there for each function: made
# while this is configured, so that whatever is built later, they can be installed.
function (cohort_header_pages folder)
    set (pages "${PROJECT_BINARY_DIR}/man3")
    set (maker "${PROJECT_SOURCE_DIR}/cmake/header_page.awk")
    file (MAKE_DIRECTORY "${pages}")
    file (GLOB headers CONFIGURE_DEPENDS "${folder}/*.h")
    list (FILTER headers EXCLUDE REGEX "/version\\.h$")
    set_property (DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${maker}" ${headers})
    foreach (header IN LISTS headers)
        execute_process (
            COMMAND awk -v "folder=${pages}" -v "version=${PROJECT_VERSION}" -f "${maker}" "${header}"
            COMMAND_ERROR_IS_FATAL ANY)
    endforeach ()
endfunction ()

# Called once, at the end of the top: the CMake package of the shared libraries that there are.
function (cohort_install_packages)
    get_property (libraries GLOBAL PROPERTY COHORT_SHARED_LIBRARIES)
    if (NOT libraries)
        return ()
    endif ()
    include (CMakePackageConfigHelpers)
    set (destination "${CMAKE_INSTALL_LIBDIR}/cmake/cohort")
    configure_package_config_file ("${PROJECT_SOURCE_DIR}/cmake/cohort-config.cmake.in"
        "${PROJECT_BINARY_DIR}/cohort-config.cmake" INSTALL_DESTINATION "${destination}")
    write_basic_package_version_file ("${PROJECT_BINARY_DIR}/cohort-config-version.cmake"
        COMPATIBILITY SameMajorVersion)
    install (EXPORT cohort-targets NAMESPACE cohort:: DESTINATION "${destination}")
    install (DIRECTORY "${PROJECT_BINARY_DIR}/man3" DESTINATION "${CMAKE_INSTALL_MANDIR}")
    install (FILES "${PROJECT_BINARY_DIR}/cohort-config.cmake"
                   "${PROJECT_BINARY_DIR}/cohort-config-version.cmake"
             DESTINATION "${destination}")
endfunction ()

# A misspelt keyword shall not pass unnoticed.
macro (cohort_check_arguments function)
    if (arg_UNPARSED_ARGUMENTS)
        message (FATAL_ERROR "${function}: unknown arguments: ${arg_UNPARSED_ARGUMENTS}")
    endif ()
endmacro ()
