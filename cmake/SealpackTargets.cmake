# SPDX-License-Identifier: Apache-2.0
# How every sealpack target is made, so that flags and layers are stated once.

set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

add_library(sealpack_flags INTERFACE)
target_compile_features(sealpack_flags INTERFACE cxx_std_20)
target_include_directories(sealpack_flags INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_definitions(sealpack_flags INTERFACE _FILE_OFFSET_BITS=64)
target_compile_options(sealpack_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Werror
  $<$<COMPILE_LANGUAGE:CXX>:-Wold-style-cast -Wnon-virtual-dtor>
  -fstack-protector-strong -fno-strict-overflow
  $<$<CONFIG:Release>:-D_FORTIFY_SOURCE=2 -D_GLIBCXX_ASSERTIONS>)
target_link_options(sealpack_flags INTERFACE -Wl,-z,relro,-z,now)
if(SEALPACK_SANITIZE)
  target_compile_options(sealpack_flags INTERFACE
    -fsanitize=${SEALPACK_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(sealpack_flags INTERFACE -fsanitize=${SEALPACK_SANITIZE})
endif()
if(SEALPACK_FUZZ)
  target_compile_options(sealpack_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

# sealpack_library(NAME SOURCES ... [DEPENDS sealpack targets] [FOREIGN foreign targets])
# Makes sealpack_NAME and sealpack::NAME. What DEPENDS names is visible to users of the library;
# FOREIGN packages are not: their headers appear in no sealpack header.
function(sealpack_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;DEPENDS;FOREIGN")
  add_library(sealpack_${name} STATIC ${arg_SOURCES})
  add_library(sealpack::${name} ALIAS sealpack_${name})
  target_link_libraries(sealpack_${name} PUBLIC ${arg_DEPENDS} PRIVATE $<BUILD_INTERFACE:sealpack_flags> ${arg_FOREIGN})
  target_include_directories(sealpack_${name} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>)
  target_compile_features(sealpack_${name} PUBLIC cxx_std_20)
endfunction()

# sealpack_or_archive(VARIABLE TARGET ARCHIVE NEAR): what to link for a foreign library: TARGET, but for a program with the property
# SEALPACK_SELF_CONTAINED the file ARCHIVE, looked for beside NEAR first.
function(sealpack_or_archive variable target archive near)
  cmake_path(GET near PARENT_PATH folder)
  find_library(SEALPACK_ARCHIVE_${archive} NAMES ${archive} HINTS ${folder})
  mark_as_advanced(SEALPACK_ARCHIVE_${archive})
  if(NOT SEALPACK_ARCHIVE_${archive})
    set_property(GLOBAL APPEND PROPERTY SEALPACK_MISSING_ARCHIVES ${archive})
  endif()
  set(${variable} $<IF:$<BOOL:$<TARGET_PROPERTY:SEALPACK_SELF_CONTAINED>>,${SEALPACK_ARCHIVE_${archive}},${target}> PARENT_SCOPE)
endfunction()

# sealpack_self_contained(TARGET): the program loads nothing when it starts, so its file is all of it.
function(sealpack_self_contained target)
  # The sanitizers are shared libraries.
  if(SEALPACK_SANITIZE)
    return()
  endif()
  get_property(missing GLOBAL PROPERTY SEALPACK_MISSING_ARCHIVES)
  if(missing)
    message(FATAL_ERROR "${target} is linked with archives, and these are not there: ${missing}. Debian has them in its -dev packages")
  endif()
  set_target_properties(${target} PROPERTIES SEALPACK_SELF_CONTAINED ON)
  # At any address, as other programs.
  target_sources(${target} PRIVATE ${PROJECT_SOURCE_DIR}/runtime-loader/tee/process/inside/absent_functions.cc)
  target_link_options(${target} PRIVATE -static-pie LINKER:--wrap=dlopen)
endfunction()

# sealpack_test(NAME SOURCES ... [DEPENDS ...] [FOREIGN ...] [LABELS ...]): a GoogleTest program, one ctest entry a test.
function(sealpack_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT" "SOURCES;DEPENDS;FOREIGN;LABELS")
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 300)
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE sealpack_flags sealpack_testing ${arg_DEPENDS} ${arg_FOREIGN} GTest::gmock GTest::gtest_main)
  include(GoogleTest)
  list(APPEND arg_LABELS unit)
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT ${arg_TIMEOUT} LABELS "${arg_LABELS}")
endfunction()

# sealpack_fuzz(NAME SOURCE file DEPENDS ...): beside a parser. With clang and SEALPACK_FUZZ a libFuzzer
# program; in every build a test that replays tests/fuzz/corpus/NAME.
function(sealpack_fuzz name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "SOURCE" "DEPENDS;FOREIGN")
  if(NOT SEALPACK_TESTS)
    return()
  endif()
  add_executable(${name} ${arg_SOURCE})
  target_link_libraries(${name} PRIVATE sealpack_flags ${arg_DEPENDS} ${arg_FOREIGN})
  set(corpus ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${name})
  if(SEALPACK_FUZZ)
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    add_test(NAME fuzz.${name} COMMAND ${name} -runs=0 ${corpus})
  else()
    target_sources(${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests/fuzz/replay_main.cc)
    add_test(NAME fuzz.${name} COMMAND ${name} ${corpus})
  endif()
  set_tests_properties(fuzz.${name} PROPERTIES LABELS fuzz TIMEOUT 300)
  if(NOT TARGET fuzz_targets)
    add_custom_target(fuzz_targets)
  endif()
  add_dependencies(fuzz_targets ${name})
endfunction()
