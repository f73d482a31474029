# What the parts' CMakeLists.txt are written in.

option(VERDICT_WERROR "Warnings are errors" OFF)
set(VERDICT_SANITIZE "" CACHE STRING "Sanitizers to build with, as for -fsanitize=")

if(VERDICT_SANITIZE)
  add_compile_options(-fsanitize=${VERDICT_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${VERDICT_SANITIZE})
endif()
set(VERDICT_PROGRAM_LIBS "")  # what every program links
if(VERDICT_SANITIZE MATCHES thread)
  add_library(verdict_tsan_mutex OBJECT ${CMAKE_CURRENT_LIST_DIR}/tsan_mutex.cc)
  target_link_libraries(verdict_tsan_mutex PUBLIC absl::synchronization)
  add_library(verdict_tsan_grpc OBJECT ${CMAKE_CURRENT_LIST_DIR}/tsan_grpc.cc)
  target_link_libraries(verdict_tsan_grpc PUBLIC gRPC::grpc++)
  set(VERDICT_PROGRAM_LIBS verdict_tsan_mutex verdict_tsan_grpc)
elseif(VERDICT_SANITIZE MATCHES address)
  add_library(verdict_lsan_pqxx OBJECT ${CMAKE_CURRENT_LIST_DIR}/lsan_pqxx.cc)
  set(VERDICT_PROGRAM_LIBS verdict_lsan_pqxx)
endif()

# Warnings, for our own code only: generated code does not link it.
add_library(verdict_warnings INTERFACE)
target_compile_options(verdict_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wold-style-cast -Wimplicit-fallthrough -Wthread-safety
  $<$<BOOL:${VERDICT_WERROR}>:-Werror>)

# verdict_library(NAME SOURCES ... LIBS ... [PRIVATE_LIBS ...]): the target verdict_NAME, with the alias
# verdict::NAME. Includes are written from the repository's root.
function(verdict_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBS;PRIVATE_LIBS" ${ARGN})
  add_library(verdict_${name} STATIC ${ARG_SOURCES})
  add_library(verdict::${name} ALIAS verdict_${name})
  target_include_directories(verdict_${name} PUBLIC ${PROJECT_SOURCE_DIR})
  target_link_libraries(verdict_${name} PUBLIC ${ARG_LIBS} PRIVATE ${ARG_PRIVATE_LIBS} verdict_warnings)
endfunction()

# verdict_executable(NAME SOURCES ... LIBS ...): a program, in build/PRESET/bin.
function(verdict_executable name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_LIBS} ${VERDICT_PROGRAM_LIBS} verdict_warnings)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
endfunction()

# verdict_test(NAME LABEL unit|contract|integration|e2e SOURCES ... LIBS ...): one Catch2 program, one
# ctest entry. integration and e2e find a PostgreSQL cluster in VERDICT_TEST_CLUSTER (tests/support).
function(verdict_test name)
  cmake_parse_arguments(ARG "" "LABEL" "SOURCES;LIBS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_LIBS} ${VERDICT_PROGRAM_LIBS} verdict_test_main verdict_warnings)
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS ${ARG_LABEL} TIMEOUT 600)
  if(ARG_LABEL MATCHES "integration|e2e")
    set_tests_properties(${name} PROPERTIES FIXTURES_REQUIRED cluster
      ENVIRONMENT "VERDICT_TEST_CLUSTER=${PROJECT_BINARY_DIR}/test-cluster;VERDICT_BIN=${PROJECT_BINARY_DIR}/bin;VERDICT_SOURCE=${PROJECT_SOURCE_DIR}")
  endif()
endfunction()

# verdict_fuzz(NAME RUNS N SOURCE file UNDER_TEST file... LIBS ...): a libFuzzer program, in build/PRESET/fuzz, and a
# ctest entry that gives it N inputs (tools/fuzz.sh). It has sanitizers of its own, so that only presets without any build
# it: the files under test are compiled again for it with sanitizers and coverage, and shadow those in the libraries,
# which are linked as they are.
function(verdict_fuzz name)
  if(VERDICT_SANITIZE)
    return()
  endif()
  cmake_parse_arguments(ARG "" "RUNS;SOURCE" "UNDER_TEST;LIBS" ${ARGN})
  set(flags -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_library(${name}_under_test OBJECT ${ARG_UNDER_TEST})
  add_executable(${name} ${ARG_SOURCE} ${PROJECT_SOURCE_DIR}/tests/support/fuzz_main.cc)
  foreach(target ${name}_under_test ${name})
    target_compile_options(${target} PRIVATE ${flags})
    target_link_libraries(${target} PRIVATE ${ARG_LIBS} verdict_warnings)
    target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR})
  endforeach()
  # clang-tidy looks at each file once.
  set_target_properties(${name}_under_test PROPERTIES EXPORT_COMPILE_COMMANDS OFF)
  target_link_options(${name} PRIVATE ${flags})
  target_link_libraries(${name} PRIVATE ${name}_under_test)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/fuzz)
  add_test(NAME ${name} COMMAND ${PROJECT_SOURCE_DIR}/tools/fuzz.sh $<TARGET_FILE:${name}> ${ARG_RUNS})
  set_tests_properties(${name} PROPERTIES LABELS fuzz TIMEOUT 600)
endfunction()
