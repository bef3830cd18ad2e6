# cmake --install: the program with its plugins, what plugins are built with, documentation.
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

install(FILES packaging/openarchiver.service DESTINATION lib/systemd/system)
install(FILES packaging/openarchiver.sysusers DESTINATION lib/sysusers.d RENAME openarchiver.conf)
install(FILES packaging/prometheus-alerts.yml DESTINATION ${CMAKE_INSTALL_DATADIR}/openarchiver)

# cpack -G DEB in the build folder: one package with all of it.
set(CPACK_PACKAGE_NAME openarchiver)
set(CPACK_PACKAGE_CONTACT "OpenArchiver <maintainers@openarchiver.example>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "archives an organisation's mail: complete, exact and verifiable")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION mail)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# systemd-sysusers makes the service's user.
set(CPACK_DEBIAN_PACKAGE_DEPENDS "ca-certificates, systemd | systemd-standalone-sysusers | systemd-sysusers")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "poppler-utils, pst-utils")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "cmake, g++")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${CMAKE_SOURCE_DIR}/packaging/postinst ${CMAKE_SOURCE_DIR}/packaging/prerm)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_STRIP_FILES ON)
include(CPack)
