# cmake --install: the program with its plugins, what plugins are built with, documentation.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(OPENARCHIVER_PACKAGE_DIRECTORY ${CMAKE_INSTALL_LIBDIR}/cmake/OpenArchiver)

foreach(component sdk testkit program)
    install(EXPORT openarchiver-${component} NAMESPACE openarchiver::
        FILE OpenArchiver-${component}.cmake DESTINATION ${OPENARCHIVER_PACKAGE_DIRECTORY})
endforeach()
configure_package_config_file(cmake/OpenArchiverConfig.cmake.in
    ${CMAKE_CURRENT_BINARY_DIR}/OpenArchiverConfig.cmake
    INSTALL_DESTINATION ${OPENARCHIVER_PACKAGE_DIRECTORY}
    NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/OpenArchiverConfigVersion.cmake
    COMPATIBILITY SameMinorVersion)
install(FILES
    ${CMAKE_CURRENT_BINARY_DIR}/OpenArchiverConfig.cmake
    ${CMAKE_CURRENT_BINARY_DIR}/OpenArchiverConfigVersion.cmake
    cmake/plugin.cmake cmake/plugin.map
    DESTINATION ${OPENARCHIVER_PACKAGE_DIRECTORY})

install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR} FILES_MATCHING PATTERN "*.md" PATTERN "*.sh")
install(DIRECTORY sdk/examples DESTINATION ${CMAKE_INSTALL_DATADIR}/openarchiver
    USE_SOURCE_PERMISSIONS)
install(FILES README.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
