find_program(MOLD mold)
if(MOLD)
    add_link_options(-fuse-ld=mold)  # a test program links in a sixth of the time
endif()
find_program(CCACHE ccache)
if(CCACHE)
    # The precompiled header is told apart by its content and macros, so that a fresh tree profits from the cache.
    set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
        CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
        CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${CCACHE})
endif()

# sonde_library(name LINK ...): one folder with all below it, one static library.
#
# What a folder may include is what it links; tests/layout holds the sources to it.
function(sonde_library name)
    cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
    if(SONDE_FUZZ)  # what only does I/O has no input to be fuzzed and takes minutes to compile
        list(FILTER sources EXCLUDE REGEX
            "/(connection|curl_multi|dial|exchange|hop|http_client|http_server|icmp_sockets|resolver|run|run_once)\\.cpp$")
    endif()
    add_library(${name} STATIC ${sources})
    target_compile_features(${name} PUBLIC cxx_std_20)
    sonde_warnings(${name})
    target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR})
    target_link_libraries(${name} PUBLIC ${ARG_LINK})
    sonde_precompiled(${name})
endfunction()

function(sonde_warnings target)
    target_compile_options(${target} PRIVATE -Wall -Wextra -Wshadow -Wnon-virtual-dtor)
    if(SONDE_WERROR)
        target_compile_options(${target} PRIVATE -Werror)
    endif()
endfunction()

# One precompiled header for all, built with `base`: it halves the cost of a source. GCC takes it only where flags and
# macros are the same (-Winvalid-pch tells), so a target with flags of its own pays twice. The clang variant does
# without: a missing include does not stay hidden.
function(sonde_precompiled target)
    if(target STREQUAL "base")
        target_precompile_headers(base PRIVATE ${PROJECT_SOURCE_DIR}/packaging/cmake/precompiled.h)
    else()
        target_precompile_headers(${target} REUSE_FROM base)
    endif()
endfunction()

# sonde_schema(target dir/file.proto): messages, generated as <build>/dir/file.pb.h and included by that path.
function(sonde_schema target proto)
    sonde_generate(${target} ${proto} .pb --cpp_out=${PROJECT_BINARY_DIR})
endfunction()

# sonde_services(target dir/file.proto): its gRPC stubs, <build>/dir/file.grpc.pb.h.
function(sonde_services target proto)
    sonde_generate(${target} ${proto} .grpc.pb --grpc_out=${PROJECT_BINARY_DIR}
        --plugin=protoc-gen-grpc=$<TARGET_FILE:gRPC::grpc_cpp_plugin>)
endfunction()

function(sonde_generate target proto suffix)
    string(REGEX REPLACE "\\.proto$" "${suffix}" stem ${proto})
    set(out ${PROJECT_BINARY_DIR}/${stem})
    add_custom_command(
        OUTPUT ${out}.cc ${out}.h
        COMMAND protobuf::protoc -I ${PROJECT_SOURCE_DIR} ${ARGN} ${PROJECT_SOURCE_DIR}/${proto}
        DEPENDS ${PROJECT_SOURCE_DIR}/${proto})
    target_sources(${target} PRIVATE ${out}.cc ${out}.h)
    target_include_directories(${target} SYSTEM PUBLIC ${PROJECT_BINARY_DIR})
endfunction()

# sonde_test(name dir LINK ...): one program of all dir/**/*_test.cpp, one ctest entry.
function(sonde_test name dir)
    cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${dir}/*_test.cpp)
    add_executable(${name} main.cpp ${sources} ${ARG_SOURCES})
    sonde_warnings(${name})
    target_link_libraries(${name} PRIVATE ${ARG_LINK} doctest::doctest)
    sonde_precompiled(${name})
    add_test(NAME ${name} COMMAND ${name})
    set_tests_properties(${name} PROPERTIES
        TIMEOUT 600
        ENVIRONMENT "TSAN_OPTIONS=suppressions=${CMAKE_CURRENT_SOURCE_DIR}/support/tsan.supp;SONDE_BINARY=$<TARGET_FILE:sonde>;SONDE_SOURCE=${PROJECT_SOURCE_DIR}")
endfunction()
