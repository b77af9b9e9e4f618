# cmake -D SOURCE=FOLDER -D OUTPUT=FILE -D COMMIT=TEXT -P commit.cmake: writes the header that says of which commit the sources are, where
# that is known; only when it is another than before, so that nothing is compiled for nothing. A COMMIT that is given is taken.
if(NOT COMMIT)
  find_package(Git QUIET)
endif()
if(NOT COMMIT AND GIT_FOUND)
  # Not that of another repository, which a copy of the sources may lie in.
  execute_process(COMMAND ${GIT_EXECUTABLE} rev-parse --show-prefix WORKING_DIRECTORY ${SOURCE}
    RESULT_VARIABLE FAILED OUTPUT_VARIABLE PREFIX ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(NOT FAILED AND PREFIX STREQUAL "")
    execute_process(COMMAND ${GIT_EXECUTABLE} describe --always --dirty --abbrev=12 --exclude=* WORKING_DIRECTORY ${SOURCE}
      OUTPUT_VARIABLE COMMIT ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
  endif()
endif()
file(CONFIGURE OUTPUT ${OUTPUT} CONTENT "#define LAMELLA_COMMIT \"${COMMIT}\"\n")
