# What is installed, all of it to be moved as it stands: the parts find each other by ways between their folders, which the paths of
# GNUInstallDirs have among them.
configure_file(cmake/lamella.pc.in ${CMAKE_BINARY_DIR}/lamella.pc @ONLY)
include(CMakePackageConfigHelpers)
set(INSTALL_CMAKE ${CMAKE_INSTALL_LIBDIR}/cmake/lamella)
configure_package_config_file(cmake/lamellaConfig.cmake.in ${CMAKE_BINARY_DIR}/lamellaConfig.cmake
  INSTALL_DESTINATION ${INSTALL_CMAKE} PATH_VARS CMAKE_INSTALL_BINDIR NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/lamellaConfigVersion.cmake COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)

install(TARGETS lamella RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
if(TARGET lamella-clang)
  install(TARGETS lamella-clang lamella-load LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/lamella)
  install(FILES ${CMAKE_BINARY_DIR}/lamella-runtime.o DESTINATION ${CMAKE_INSTALL_LIBDIR}/lamella)
endif()
install(FILES ${CMAKE_BINARY_DIR}/lamella.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(FILES ${CMAKE_BINARY_DIR}/lamellaConfig.cmake ${CMAKE_BINARY_DIR}/lamellaConfigVersion.cmake DESTINATION ${INSTALL_CMAKE})
install(DIRECTORY specs DESTINATION ${CMAKE_INSTALL_DATADIR}/lamella)
install(DIRECTORY examples DESTINATION ${CMAKE_INSTALL_DATADIR}/lamella)
install(DIRECTORY docs DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
