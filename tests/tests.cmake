# What several unit tests share.
file(GLOB HARNESS CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/harness/*.c)
add_library(harness STATIC ${HARNESS})
target_compile_definitions(harness PRIVATE SOURCE_FOLDER="${CMAKE_SOURCE_DIR}")
target_link_libraries(harness passes codegen jit ir)

# Each tests/unit/NAME.c is a program of its own, build/tests/unit/NAME; tests/run runs them all, and everything else.
file(GLOB UNIT_TESTS CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/unit/*.c)
foreach(FILE ${UNIT_TESTS})
  get_filename_component(NAME ${FILE} NAME_WE)
  add_executable(unit_${NAME} ${FILE})
  set_target_properties(unit_${NAME} PROPERTIES OUTPUT_NAME ${NAME} RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/unit)
  target_compile_definitions(unit_${NAME} PRIVATE SOURCE_FOLDER="${CMAKE_SOURCE_DIR}" BUILD_FOLDER="${CMAKE_BINARY_DIR}")
  target_link_libraries(unit_${NAME} harness driver)
endforeach()
add_test(NAME all COMMAND ${CMAKE_SOURCE_DIR}/tests/run --build ${CMAKE_BINARY_DIR})

# Programs that whole-program tests call.
foreach(NAME compare_tensors expect_tensor nonzero)
  add_executable(${NAME} tests/tools/${NAME}.c)
  set_target_properties(${NAME} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/tools)
  target_link_libraries(${NAME} runtime)
endforeach()
add_executable(check_json tests/tools/check_json.c)
set_target_properties(check_json PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/tools)
# A check of the sources that reads them by Clang's own classes. Sanitized, gcc warns of what those classes inline.
if(LLVM_INCLUDE AND LLVM_LIBRARY AND CLANG_LIBRARY AND NOT LAMELLA_SANITIZE)
  add_executable(evaluation_order tests/tools/evaluation_order.cpp)
  set_target_properties(evaluation_order PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/tools)
  target_include_directories(evaluation_order SYSTEM PRIVATE ${LLVM_INCLUDE})
  target_compile_options(evaluation_order PRIVATE -fno-rtti -fno-exceptions)
  target_compile_definitions(evaluation_order PRIVATE CLANG_RESOURCES="${LLVM_PREFIX}/lib/clang/19")
  target_link_libraries(evaluation_order ${CLANG_LIBRARY} ${LLVM_LIBRARY})
endif()
