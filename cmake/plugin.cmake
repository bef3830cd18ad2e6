# openarchiver_add_plugin(NAME SOURCES file... [LIBRARIES target...])
# A plugin library NAME.so beside the program's other plugins. It exports its stamp and its
# factory, nothing else.
set(OPENARCHIVER_PLUGIN_VERSION_SCRIPT ${CMAKE_CURRENT_LIST_DIR}/plugin.map)

function(openarchiver_add_plugin name)
    cmake_parse_arguments(PLUGIN "" "" "SOURCES;LIBRARIES" ${ARGN})
    add_library(${name} MODULE ${PLUGIN_SOURCES})
    target_link_libraries(${name} PRIVATE openarchiver::sdk openarchiver_options ${PLUGIN_LIBRARIES})
    target_link_options(${name} PRIVATE
        -Wl,--no-undefined -Wl,--version-script=${OPENARCHIVER_PLUGIN_VERSION_SCRIPT})
    set_target_properties(${name} PROPERTIES
        PREFIX ""
        CXX_VISIBILITY_PRESET hidden
        VISIBILITY_INLINES_HIDDEN ON
        LINK_DEPENDS ${OPENARCHIVER_PLUGIN_VERSION_SCRIPT}
        LIBRARY_OUTPUT_DIRECTORY ${OPENARCHIVER_PLUGIN_OUTPUT_DIRECTORY})
    install(TARGETS ${name} LIBRARY DESTINATION lib/openarchiver/plugins)
endfunction()
