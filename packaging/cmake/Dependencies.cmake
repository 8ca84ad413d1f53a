find_package(Threads REQUIRED)
add_compile_options(-pthread)  # re2 asks for it, and the precompiled header wants the same flags everywhere

find_package(PkgConfig REQUIRED)
pkg_check_modules(re2 REQUIRED IMPORTED_TARGET GLOBAL re2)
add_library(re2::re2 ALIAS PkgConfig::re2)  # Debian's gRPC config wants this name, its re2 has none
pkg_check_modules(cares REQUIRED IMPORTED_TARGET GLOBAL libcares)
pkg_check_modules(ldns REQUIRED IMPORTED_TARGET GLOBAL ldns)
pkg_check_modules(sodium REQUIRED IMPORTED_TARGET GLOBAL libsodium)
pkg_check_modules(sqlite3 REQUIRED IMPORTED_TARGET GLOBAL sqlite3)
pkg_check_modules(pq REQUIRED IMPORTED_TARGET GLOBAL libpq)
find_package(Snappy REQUIRED)
find_package(ZLIB REQUIRED)
pkg_check_modules(brotlidec REQUIRED IMPORTED_TARGET GLOBAL libbrotlidec)

if(SONDE_MIMALLOC)
    find_package(mimalloc 2.0 REQUIRED)
endif()

find_package(Boost 1.81 REQUIRED)
add_compile_definitions(BOOST_ASIO_SEPARATE_COMPILATION BOOST_BEAST_SEPARATE_COMPILATION)  # agent/base/asio.cpp
find_package(OpenSSL 3.0 REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(spdlog 1.10 REQUIRED)
find_package(CURL 7.88 REQUIRED)
find_package(Protobuf 3.21 REQUIRED)
find_package(gRPC 1.51 CONFIG REQUIRED)
find_package(fmt 9 REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(prometheus-cpp CONFIG REQUIRED)
find_package(CLI11 REQUIRED)
find_path(SOCI_INCLUDE soci/soci.h REQUIRED)  # Debian's SOCI has no package file
find_library(SOCI_CORE soci_core REQUIRED)
find_library(SOCI_SQLITE3 soci_sqlite3 REQUIRED)
find_library(SOCI_POSTGRESQL soci_postgresql REQUIRED)
add_library(soci INTERFACE)
target_include_directories(soci SYSTEM INTERFACE ${SOCI_INCLUDE})
target_link_libraries(soci INTERFACE ${SOCI_SQLITE3} ${SOCI_POSTGRESQL} ${SOCI_CORE})
find_package(doctest REQUIRED)
